// A host that has put root aside and kept it (squid, danted: seteuid(2)) can take it up again at any moment: it has
// given up nothing. What its recording needs of root it gets in a clone, whose credentials are its own; those of the
// host stay as they are (credentials(7)).
#pragma once

namespace sidrec {

// The effective user is not root, the real or the saved one is.
bool keeps_root();

// In a clone of such a host: becomes root, with root's groups, so that nothing it makes is the host's user's.
void take_up_root();

// openat(2) by root, from the calling process of such a host: the descriptor, or a negative error.
long open_as_root(const char* path, int flags, int mode);

}  // namespace sidrec
