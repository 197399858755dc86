/*
 * cache clear, cache location
 */

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/cache_dir.h"
#include "cli/options.h"

static enum exit_status fail(const struct err *e)
{
	fprintf(stderr, "pomerium-cli: %s\n", e->text);
	return EXIT_STATUS_OTHER;
}

enum exit_status cmd_cache_run(const struct program *program, const struct options *options)
{
	const char *action = options->arguments[0];
	bool clears = strcmp(action, "clear") == 0;
	_cleanup_(mem_freep) char *root = NULL;
	struct err e;

	if (!clears && strcmp(action, "location") != 0)
		return program_complain(program_find(program, "cache"),
					"cache is used as: cache clear or cache location");
	if (cache_dir_locate(getenv("XDG_CACHE_HOME"), getenv("HOME"), &root, &e) < 0)
		return fail(&e);
	if (!clears) {
		printf("%s\n", root);
		return EXIT_STATUS_OK;
	}
	if (cache_dir_clear(root, &e) < 0)
		return fail(&e);
	return EXIT_STATUS_OK;
}
