// The descriptors this program found open when it was exec'd.
#pragma once

namespace sidrec {

// A connected TCP socket is a client connection, a listening one a listener; nothing else is tracked. Once, from the
// constructor.
void classify_inherited();

}  // namespace sidrec
