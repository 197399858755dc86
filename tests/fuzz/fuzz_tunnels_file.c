/*
 * fuzz_tunnels_file.c - what a person writes into tunnels.yaml
 *
 * Properties: of what is accepted each tunnel has a name of its own and a destination, and is found by the name; what is not
 * is called a mistake at a place in the file.
 */

#include <assert.h>

#include "cli/tunnels_file.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tunnels_file file = { 0 };
	struct err e = { 0 };

	if (tunnels_file_parse(str_of(data, size), "t.yaml", &file, &e) < 0) {
		assert(e.kind == ERR_CONFIG);
		assert(str_starts_with(str_from(e.text), STR("t.yaml")));
		assert(!file.entries && file.count == 0);
		return 0;
	}
	assert(file.count <= TUNNELS_MAX);
	for (size_t i = 0; i < file.count; i++) {
		const struct tunnels_entry *entry = &file.entries[i];

		assert(entry->name && entry->name[0]);
		assert(entry->destination && entry->destination[0]);
		assert(tunnels_file_find(&file, entry->name) == entry);
	}
	tunnels_file_done(&file);
	return 0;
}
