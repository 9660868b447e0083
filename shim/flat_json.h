// The few settings the shim needs out of the configuration file: one flat JSON object, read without heap.
// The recorder reads the same file with a full parser and reports what is wrong with it; this one only looks keys up.
#pragma once

#include <cstddef>

namespace sidrec {

// Copies the string or number at top-level `key` into `value` (at most size - 1 bytes). False when it is not there,
// is of another type, or does not fit.
bool flat_json_find(const char* json, const char* key, char* value, size_t size);

}  // namespace sidrec
