#pragma once

/*
 * siphash.h - SipHash-2-4: a keyed hash for tables whose keys come from peers
 */

#include <stdint.h>

#include "base/str.h"

uint64_t siphash24(const uint64_t key[2], struct str data);
