// The one way in which a host is told that it is not recorded, or not as it was set: a line on its standard error.
#pragma once

namespace sidrec {

// In the constructor: what standard error is now.
void remember_stderr();

// "sidrec: not recording: WHAT SUBJECT: ERROR; REMEDY". `error`: negative, as of a system call, or 0. To a terminal,
// file or pipe; never into a socket, which may be somebody's connection, and not once the host has put something else
// there.
void complain(const char* what, const char* subject, long error, const char* remedy);
// "sidrec: WHAT SUBJECT; REMEDY". The host is recorded.
void warn(const char* what, const char* subject, const char* remedy);

}  // namespace sidrec
