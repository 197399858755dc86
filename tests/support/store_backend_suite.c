#include "tests/support/store_backend_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/store_backend_scene.h"

static int run(const struct store_backend_suite *suite,
	       const struct CMUnitTest *(*get_cases)(size_t *ret_count))
{
	size_t count;
	const struct CMUnitTest *cases = get_cases(&count);
	struct CMUnitTest *mine = mem_copy(cases, count * sizeof(*cases));
	struct store_backend_suite copy = *suite; /* cmocka hands it on as no constant */
	int failed;

	for (size_t i = 0; i < count; i++)
		mine[i].initial_state = &copy;
	failed = _cmocka_run_group_tests(suite->name, mine, count, NULL, NULL);
	mem_free(mine);
	return failed;
}

int store_backend_suite_run(const struct store_backend_suite *suite)
{
	int failed = run(suite, scene_row_cases) + run(suite, scene_limit_cases) +
		     run(suite, scene_many_cases);

	if (suite->is_durable)
		failed += run(suite, scene_shared_cases);
	if (suite->news != STORE_BACKEND_SILENT)
		failed += run(suite, scene_news_cases);
	return failed;
}
