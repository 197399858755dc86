#pragma once

/*
 * fuzz.h - what every fuzz target defines (the interface of libFuzzer)
 */

#include <stddef.h>
#include <stdint.h>

/* Runs the code under test over one input; aborts when a property does not hold. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
