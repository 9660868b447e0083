#include "shim/flat_json.h"

#include <cstring>

namespace sidrec {
namespace {

const char* skip_space(const char* p) {
  while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') ++p;
  return p;
}

// Reads the string that begins at p (on its quote); returns where it ends, or nullptr. Escapes of bytes above ASCII
// are not for paths and templates: they make the string unreadable here.
const char* read_string(const char* p, char* out, size_t size) {
  size_t n = 0;
  for (++p; *p && *p != '"'; ++p) {
    char c = *p;
    if (c == '\\') {
      switch (*++p) {
        case 'n': c = '\n'; break;
        case 't': c = '\t'; break;
        case '"':
        case '\\':
        case '/': c = *p; break;
        default: return nullptr;
      }
    }
    if (n + 1 >= size) return nullptr;
    out[n++] = c;
  }
  out[n] = '\0';
  return *p == '"' ? p + 1 : nullptr;
}

// Past one value of any type.
const char* skip_value(const char* p) {
  int depth = 0;
  for (; *p; ++p) {
    if (*p == '"') {
      for (++p; *p && *p != '"'; ++p)
        if (*p == '\\' && p[1]) ++p;
      if (!*p) return p;
    } else if (*p == '{' || *p == '[') {
      ++depth;
    } else if (*p == '}' || *p == ']') {
      if (depth-- == 0) return p;
    } else if (*p == ',' && depth == 0) {
      return p;
    }
  }
  return p;
}

const char* read_number(const char* p, char* out, size_t size) {
  size_t n = 0;
  for (; (*p >= '0' && *p <= '9') || *p == '.' || *p == '-'; ++p) {
    if (n + 1 >= size) return nullptr;
    out[n++] = *p;
  }
  out[n] = '\0';
  return n ? p : nullptr;
}

}  // namespace

bool flat_json_find(const char* json, const char* key, char* value, size_t size) {
  const char* p = skip_space(json);
  if (*p != '{') return false;
  p = skip_space(p + 1);
  while (*p == '"') {
    char name[64];
    const char* after = read_string(p, name, sizeof name);
    if (!after) return false;
    p = skip_space(after);
    if (*p != ':') return false;
    p = skip_space(p + 1);
    if (strcmp(name, key) == 0)
      return (*p == '"' ? read_string(p, value, size) : read_number(p, value, size)) != nullptr;
    p = skip_space(skip_value(p));
    if (*p != ',') return false;
    p = skip_space(p + 1);
  }
  return false;
}

}  // namespace sidrec
