/*
 * The scripts are made of the tables: nothing is missing, and nothing in a help text can end a quotation.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/options.h"

static const struct command rows[] = {
	{ .name = "cache", .usage = "clear|location", .summary = "it's: [here]" },
	{ .name = "tcp",
	  .usage = "DESTINATION",
	  .summary = "t",
	  .option_groups = OPTION_GROUP_TLS },
	{ .name = "help", .usage = "[COMMAND]", .summary = "h" },
};
static const struct program program = { .commands = rows, .command_count = ARRAY_LEN(rows) };

static void print(void (*printer)(const struct program *p, FILE *out), char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	assert_non_null(out);
	printer(&program, out);
	assert_int_equal(fclose(out), 0);
}

static void test_words(void **state)
{
	size_t at = 0;
	struct str word;

	assert_true(completion_next_word(&rows[0], &at, &word));
	assert_true(str_equal(word, STR("clear")));
	assert_true(completion_next_word(&rows[0], &at, &word));
	assert_true(str_equal(word, STR("location")));
	assert_false(completion_next_word(&rows[0], &at, &word));
	at = 0;
	assert_false(completion_next_word(&rows[1], &at, &word));
	assert_false(completion_next_word(&rows[2], &at, &word));
}

static void test_scripts(void **state)
{
	static const struct {
		void (*printer)(const struct program *p, FILE *out);
		const char *words[5];
	} cases[] = {
		{ completion_print_bash,
		  { "compgen -W 'cache tcp help'", "cache) words='clear location --help'",
		    "--alternate-ca-path", "help) words='cache tcp help --help'",
		    "complete -o default -F _pomerium_cli pomerium-cli" } },
		{ completion_print_zsh,
		  { "'cache:it'\\''s\\: [here]'", "'--alternate-ca-path=[", ":FILE:_files'",
		    "'1:argument:(clear location )'", "'1:argument:(cache tcp help)'" } },
		{ completion_print_fish,
		  { "-a cache -d 'it'\\''s: [here]'", "-l alternate-ca-path -r -F -d '",
		    "-l disable-tls-verification -d '", "seen_subcommand_from cache' -a location",
		    "-a 'cache tcp help'" } },
	};
	static char text[1u << 16];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print(cases[i].printer, text, sizeof(text));
		for (size_t k = 0; k < ARRAY_LEN(cases[i].words); k++)
			if (!strstr(text, cases[i].words[k]))
				fail_msg("no \"%s\" in\n%s", cases[i].words[k], text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
