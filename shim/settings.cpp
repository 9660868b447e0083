#include "shim/settings.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/complaint.h"
#include "shim/flat_json.h"
#include "shim/group_file.h"
#include "shim/kept_root.h"
#include "shim/sys.h"

extern char** environ;

namespace sidrec {

constinit Settings g_settings{};

namespace {

// Longer than a recorder's start, a master's takeover, and the turn of either on a crowded machine.
constexpr uint32_t kDefaultPatienceMs = 500;
constexpr uint32_t kMaxPatienceMs = 10'000;
constexpr uint32_t kDefaultRingKib = 2048;
constexpr uint32_t kMaxRingKib = 256 * 1024;

char g_config_text[16 * 1024];

const char* env_value(const char* name, size_t length) {
  for (char** e = environ; e && *e; ++e)
    if (strncmp(*e, name, length) == 0 && (*e)[length] == '=') return *e + length + 1;
  return nullptr;
}
const char* env_value(const char* name) { return env_value(name, strlen(name)); }

void read_config() {
  const char* path = env_value("SIDREC_CONFIG");
  if (!path || !*path) return;
  g_settings.config << path;
  const long fd = sys::call(SYS_openat, AT_FDCWD, sys::arg(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;  // the recorder reports it
  const long n = sys::call(SYS_read, fd, sys::arg(g_config_text), sizeof g_config_text - 1);
  sys::call(SYS_close, fd);
  g_config_text[n > 0 ? n : 0] = '\0';
}

bool lookup(const char* env_name, const char* key, char* value, size_t size) {
  if (const char* v = env_name ? env_value(env_name) : nullptr; v && *v) {
    if (strlen(v) >= size) return false;
    strcpy(value, v);
    return true;
  }
  return flat_json_find(g_config_text, key, value, size);
}

uint32_t number(const char* env_name, const char* key, uint32_t fallback, uint32_t most) {
  char value[16];
  if (!lookup(env_name, key, value, sizeof value)) return fallback;
  uint64_t result = 0;
  for (const char* p = value; *p >= '0' && *p <= '9' && result <= most; ++p)
    result = result * 10 + static_cast<uint64_t>(*p - '0');
  return static_cast<uint32_t>(result < most ? result : most);
}

void default_dirs(bool root) {
  if (root) {
    if (g_settings.audit_dir.empty()) g_settings.audit_dir << "/var/log/sidrec";
    if (g_settings.run_dir.empty()) g_settings.run_dir << "/run/sidrec";
    return;
  }
  if (g_settings.audit_dir.empty()) {
    const char* state = env_value("XDG_STATE_HOME");
    const char* home = env_value("HOME");
    if (state && *state)
      g_settings.audit_dir << state << "/sidrec";
    else
      g_settings.audit_dir << (home && *home ? home : "/tmp") << "/.local/state/sidrec";
  }
  if (g_settings.run_dir.empty()) {
    const char* runtime = env_value("XDG_RUNTIME_DIR");
    if (runtime && *runtime)
      g_settings.run_dir << runtime << "/sidrec";
    else
      g_settings.run_dir << "/tmp/sidrec-" << static_cast<uint64_t>(sys::call(SYS_geteuid));
  }
}

// The values of {env:NAME} in the template, for the recorder, who never sees the host's environment.
void copy_template_env() {
  size_t used = 0;
  for (const char* p = g_settings.sid_template.c_str(); (p = strstr(p, "{env:")) != nullptr;) {
    const char* name = p + 5;
    const char* end = strchr(name, '}');
    if (!end) return;
    const size_t length = static_cast<size_t>(end - name);
    p = end;
    const char* value = env_value(name, length);
    if (!value || used + length + strlen(value) + 3 > sizeof g_settings.env) continue;
    memcpy(g_settings.env + used, name, length);
    g_settings.env[used + length] = '=';
    strcpy(g_settings.env + used + length + 1, value);
    used += length + strlen(value) + 2;
  }
}

void find_recorder() {
  Dl_info self;
  if (!dladdr(&g_settings, &self) || !self.dli_fname) return;
  const char* slash = strrchr(self.dli_fname, '/');
  char absolute[ring::kMaxPath];
  if (self.dli_fname[0] != '/') {  // LD_PRELOAD may be relative
    const long n = sys::call(SYS_getcwd, sys::arg(absolute), sizeof absolute);
    if (n > 0) g_settings.recorder << absolute << "/";
  }
  g_settings.recorder << self.dli_fname;
  if (slash) g_settings.recorder.cut(g_settings.recorder.size() - strlen(slash));
  g_settings.recorder << "/sidrec-recorder";
}

// The name it was started by, not what a link points to: Debian's redis-server is a link to redis-check-rdb.
void find_program() {
  const auto* path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  const char* slash = path ? strrchr(path, '/') : nullptr;
  g_settings.program << (slash ? slash + 1 : path ? path : "");
}

// A set-user-id program that is not root's: the recorder will run as its owner, whoever we are (DESIGN D13).
void find_recorders_user() {
  struct stat st;
  if (sys::call(SYS_stat, sys::arg(g_settings.recorder.c_str()), sys::arg(&st)) < 0) return;
  if (!(st.st_mode & S_ISUID) || st.st_uid == 0) return;
  g_settings.recorder_uid = st.st_uid;
  g_settings.recorder_gid = st.st_gid;
}

// Root may write anywhere, the recorder only to what is its own.
long recorder_may_write(const char* path) {
  struct stat st;
  if (const long e = sys::call(SYS_stat, sys::arg(path), sys::arg(&st)); e < 0) return e;
  const mode_t needed = st.st_uid == g_settings.recorder_uid   ? S_IWUSR | S_IXUSR
                        : st.st_gid == g_settings.recorder_gid ? S_IWGRP | S_IXGRP
                                                               : S_IWOTH | S_IXOTH;
  return (st.st_mode & needed) == needed ? 0 : -EACCES;
}

// Makes `path` and what is missing above it, and answers 0 when files can be made in it.
long make_dir(const char* path) {
  char part[ring::kMaxPath];
  for (size_t i = 0; path[i]; ++i) {
    part[i] = path[i];
    if (i > 0 && (path[i + 1] == '/' || path[i + 1] == '\0')) {
      part[i + 1] = '\0';
      const long made = sys::call(SYS_mkdirat, AT_FDCWD, sys::arg(part), 0750);
      if (made == 0 && g_settings.recorder_uid)
        sys::call(SYS_chown, sys::arg(part), g_settings.recorder_uid, g_settings.recorder_gid);
      if (made < 0 && made != -EEXIST && path[i + 1] == '\0') return made;
    }
  }
  if (g_settings.recorder_uid) return recorder_may_write(path);
  return sys::call(SYS_faccessat2, AT_FDCWD, sys::arg(path), W_OK | X_OK, AT_EACCESS);
}

// Whoever else owns a run directory could take rings out of it, or put his own into it (DESIGN D5).
bool is_safe(const char* path, bool others_may_own) {
  struct stat st;
  if (sys::call(SYS_stat, sys::arg(path), sys::arg(&st)) < 0) return true;  // what cannot be seen is told of as such
  const bool trusted = st.st_uid == 0 || st.st_uid == static_cast<uid_t>(sys::call(SYS_geteuid)) ||
                       (g_settings.recorder_uid && st.st_uid == g_settings.recorder_uid);
  return !(st.st_mode & S_IWOTH) && (trusted || others_may_own);
}

// Directories for the recorder to write to: 0, or one line has said what to do.
bool make_dirs() {
  const char* remedy =
      g_settings.recorder_uid ? "give it to the recorder's user (chown)" : "create it for this user or set another";
  struct Place {
    const char* what;
    const char* path;
    bool others_may_own;
  };
  const Place places[] = {
      {"cannot write to the run directory (SIDREC_RUN_DIR)", g_settings.run_dir.c_str(), false},
      {"cannot write to the run directory (SIDREC_RUN_DIR)", g_settings.rings_dir.c_str(), false},
      {"cannot write to the audit directory (SIDREC_AUDIT_DIR)", g_settings.audit_dir.c_str(), true}};
  for (const Place& place : places) {
    if (const long e = make_dir(place.path); e != 0) {
      complain(place.what, place.path, e, remedy);
      return false;
    }
    if (!is_safe(place.path, place.others_may_own)) {
      complain("others could change what is in", place.path, 0, "give it to this user (chown), and chmod o-w it");
      return false;
    }
  }
  return true;
}

// What the recorder's user keeps from this process, it must be able to have done for it.
bool can_be_served() {
  if (sys::call(SYS_prctl, PR_GET_NO_NEW_PRIVS) == 0) return true;
  complain("no_new_privs keeps the recorder from its own user:", g_settings.recorder.c_str(), 0,
           "set NoNewPrivileges=no in the service's unit");
  return false;
}

}  // namespace

bool load_settings() {
  Settings& s = g_settings;
  read_config();
  char value[ring::kMaxPath];
  const bool sid_given = lookup("SIDREC_SID", "sid", value, sizeof value);
  const char* sid_of_env = env_value("SIDREC_SID");
  s.sid_source = !sid_given ? "default" : sid_of_env && *sid_of_env ? "env" : "config";
  s.sid_template << (sid_given ? value : "{client_ip}");
  if (lookup("SIDREC_AUDIT_DIR", "audit_dir", value, sizeof value)) s.audit_dir << value;
  if (lookup("SIDREC_RUN_DIR", "run_dir", value, sizeof value)) s.run_dir << value;
  default_dirs(sys::call(SYS_geteuid) == 0);
  s.rings_dir << s.run_dir.c_str() << "/rings";
  s.patience_ms = number("SIDREC_PATIENCE_MS", "patience_ms", kDefaultPatienceMs, kMaxPatienceMs);
  s.ring_kib = number("SIDREC_RING_KIB", "ring_kib", kDefaultRingKib, kMaxRingKib);
  if (lookup("SIDREC_INPUT", "input", value, sizeof value)) {
    s.input = !strcmp(value, "all") ? kInputAll : !strcmp(value, "none") ? kInputNone : kInputMasked;
  }
  s.strict = lookup("SIDREC_OVERLOAD", "overload", value, sizeof value) && !strcmp(value, "strict");
  if (lookup("SIDREC_RESCUE_GROUP", "rescue_group", value, sizeof value)) {
    s.rescues = find_group(value, s.rescue_gid);
    if (!s.rescues)
      warn("there is no rescue group", value, "set SIDREC_RESCUE_GROUP to a group of /etc/group, or a number");
  }
  const char* debug = env_value("SIDREC_DEBUG");
  s.debug = debug && *debug && *debug != '0';
  copy_template_env();
  find_recorder();
  find_recorders_user();
  find_program();

  if (s.audit_dir.overflow() || s.rings_dir.overflow() || s.audit_dir.c_str()[0] != '/' ||
      s.run_dir.c_str()[0] != '/') {
    complain("audit and run directory must be absolute paths of less than 1,000 bytes:", s.run_dir.c_str(), 0,
             "correct SIDREC_AUDIT_DIR and SIDREC_RUN_DIR");
    return false;
  }
  if (const long e = sys::call(SYS_faccessat2, AT_FDCWD, sys::arg(s.recorder.c_str()), X_OK, AT_EACCESS); e < 0) {
    complain("cannot execute the recorder", s.recorder.c_str(), e,
             s.recorder_uid ? "let this user be of its group (SupplementaryGroups= of the service)"
                            : "install sidrec-recorder beside libsidrec.so");
    return false;
  }
  return is_recorders_stranger() ? can_be_served() : make_dirs();
}

bool is_recorders_stranger() { return g_settings.recorder_uid != 0 && sys::call(SYS_geteuid) != 0 && !keeps_root(); }

}  // namespace sidrec
