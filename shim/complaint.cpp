#include "shim/complaint.h"

#include <sys/stat.h>

#include <cstring>

#include "shim/sys.h"
#include "shim/text.h"

namespace sidrec {
namespace {

constinit struct stat g_stderr {};

void say(const char* begin, const char* what, const char* subject, long error, const char* remedy) {
  struct stat now;
  if (sys::call(SYS_fstat, 2, sys::arg(&now)) < 0 || S_ISSOCK(now.st_mode)) return;
  if (now.st_dev != g_stderr.st_dev || now.st_ino != g_stderr.st_ino) return;
  Text<1536> line;
  line << "sidrec: " << begin << what << " " << subject;
  if (error) line << ": " << strerrordesc_np(static_cast<int>(-error));
  line << "; " << remedy << "\n";
  sys::call(SYS_write, 2, sys::arg(line.c_str()), static_cast<long>(line.size()));
}

}  // namespace

void remember_stderr() {
  if (sys::call(SYS_fstat, 2, sys::arg(&g_stderr)) < 0) g_stderr = {};
}

void complain(const char* what, const char* subject, long error, const char* remedy) {
  say("not recording: ", what, subject, error, remedy);
}

void warn(const char* what, const char* subject, const char* remedy) { say("", what, subject, 0, remedy); }

}  // namespace sidrec
