/*
 * yaml_test.c - the tree: places, styles, aliases, merges, and what is refused
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"
#include "config/yaml.h"

static struct yaml *parse_tree(const char *text, enum yaml_form form)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	if (yaml_parse(str_from(text), "f", form, &yaml, &report) < 0 || report.count)
		fail_msg("%s", report.count ? report.problems[0].text : "refused");
	report_done(&report);
	return yaml;
}

static const struct yaml_node *get(const struct yaml_node *node, const char *key)
{
	const struct yaml_node *value = yaml_get(node, str_from(key));

	assert_non_null(value);
	return value;
}

static void assert_place(const struct yaml_node *node, unsigned line, unsigned column)
{
	assert_int_equal(node->at.line, line);
	assert_int_equal(node->at.column, column);
}

static void assert_text(const struct yaml_node *node, const char *text)
{
	assert_int_equal(node->kind, YAML_SCALAR);
	assert_int_equal(node->text.len, strlen(text));
	assert_memory_equal(node->text.at, text, strlen(text));
}

static void test_places_and_styles(void **state)
{
	struct yaml *yaml = parse_tree("plain: 5\n"
				       "Quoted: \"5\"\n"
				       "list: [a, 'b']\n"
				       "block:\n"
				       "  - x\n"
				       "  - k: v\n"
				       "nothing:\n"
				       "tilde: ~\n"
				       "empty: ''\n"
				       "tagged: !!str 7\n"
				       "text: |\n"
				       "  one\n"
				       "  two\n",
				       YAML_FORM_YAML);
	const struct yaml_node *root = yaml_root(yaml);

	assert_int_equal(root->kind, YAML_MAPPING);
	assert_int_equal(root->count, 9);
	assert_place(get(root, "plain"), 1, 8);
	assert_false(get(root, "plain")->is_quoted);
	assert_place(get(root, "quoted"), 2, 9);
	assert_true(get(root, "quoted")->is_quoted);
	assert_string_equal("Quoted",
			    str_equal(root->pairs[1].written, STR("Quoted")) ? "Quoted" : "");
	assert_place(get(root, "list")->items[0], 3, 8);
	assert_place(get(root, "list")->items[1], 3, 11);
	assert_place(get(get(root, "block")->items[1], "k"), 6, 8);
	assert_int_equal(get(root, "nothing")->kind, YAML_NULL);
	assert_place(get(root, "nothing"), 7, 1);
	assert_int_equal(get(root, "tilde")->kind, YAML_NULL);
	assert_text(get(root, "empty"), "");
	assert_true(get(root, "tagged")->is_quoted);
	assert_text(get(root, "text"), "one\ntwo\n");
	assert_true(get(root, "text")->is_quoted);
	yaml_free(yaml);
}

static void test_aliases_and_merges(void **state)
{
	struct yaml *yaml = parse_tree("base: &base {a: 1, b: 2}\n"
				       "more: &more {b: 3, c: 4}\n"
				       "same: *base\n"
				       "one: {<<: *base, b: 9}\n"
				       "late:\n"
				       "  b: 9\n"
				       "  <<: [*base, *more]\n",
				       YAML_FORM_YAML);
	const struct yaml_node *root = yaml_root(yaml);

	assert_ptr_equal(get(root, "same"), get(root, "base"));
	assert_int_equal(get(root, "one")->count, 2);
	assert_text(get(get(root, "one"), "a"), "1");
	assert_text(get(get(root, "one"), "b"), "9");
	assert_text(get(get(root, "late"), "a"), "1");
	assert_text(get(get(root, "late"), "b"), "9");
	assert_text(get(get(root, "late"), "c"), "4");
	yaml_free(yaml);
}

static void test_json(void **state)
{
	struct yaml *yaml = parse_tree("{\n\t\"a\": [1, true, null],\n\t\"b\": \"\\u0041\\n\"\n}\n",
				       YAML_FORM_JSON);
	const struct yaml_node *root = yaml_root(yaml);

	assert_text(get(root, "a")->items[0], "1");
	assert_text(get(root, "a")->items[1], "true");
	assert_int_equal(get(root, "a")->items[2]->kind, YAML_NULL);
	assert_text(get(root, "b"), "A\n");
	yaml_free(yaml);
}

static void test_nothing(void **state)
{
	static const char *const texts[] = { "", "\n\n", "# only a comment\n", "---\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct yaml *yaml = parse_tree(texts[i], YAML_FORM_YAML);

		assert_true(!yaml_root(yaml) || yaml_root(yaml)->kind == YAML_NULL);
		yaml_free(yaml);
	}
}

struct bad_case {
	struct str text;
	const char *report;
};

static void assert_problems(struct str text, enum yaml_form form, const char *expected)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	(void)yaml_parse(text, "f", form, &yaml, &report);
	char *lines = report_text(&report);
	assert_string_equal(lines, expected);
	mem_free(lines);
	report_done(&report);
	yaml_free(yaml);
}

static void test_bad(void **state)
{
	static const struct bad_case cases[] = {
		{ STR("a: 1\nb: [1, 2\n"), "E f:3:1: flow sequence without a closing bracket\n" },
		{ STR("a: b: c"), "E f:1:5: invalid nested block mapping on the same line\n" },
		{ STR("a: 1\nA: 2\na: 3\n"), "E f:2:1: the key A is already there in line 1\n"
					     "E f:3:1: the key a is already there in line 1\n" },
		{ STR("a: *x\n"), "E f:1:4: there is no anchor &x before this alias\n" },
		{ STR("a: &x [*x]\n"), "E f:1:8: there is no anchor &x before this alias\n" },
		{ STR("a: 1\n---\nb: 2\n"),
		  "E f:3:1: this is in a second document; only one is allowed\n" },
		{ STR("? [a, b]\n: 1\n"), "E f:1:3: a key must be a text\n" },
		{ STR("a: &x b\n*x : c\n"), "E f:2:1: an alias cannot be a key\n" },
		{ STR("a: &x 1\nb: {<<: *x}\n"),
		  "E f:2:5: << needs a mapping or a list of mappings\n" },
		{ STR("a: !!int 5\n"),
		  "E f:1:10: the tag tag:yaml.org,2002:int is not supported\n" },
		{ STR("a: 1\nb: \xff\xfe\n"), "E f:2:4: this is not UTF-8 text\n" },
		{ STR("a: 1\nb: x\0y\nc: 3\n"), "E f:2:5: control characters are not allowed\n" },
		{ STR("a: \x1b[31m\n"), "E f:1:4: control characters are not allowed\n" },
		{ STR("a: \"x\\0y\"\n"), "E f:1:4: control characters are not allowed\n" },
		{ STR("%x\na: 1\n"), "E f:1:2: Unsupported directive\n" },
		{ STR("a: 1\n...\n%x\nb: 1\n"), "E f:3:2: Unsupported directive\n" },
		{ STR("a: \"\\x1b\"\n"), "E f:1:4: control characters are not allowed\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_problems(cases[i].text, YAML_FORM_YAML, cases[i].report);
}

static void test_too_deep(void **state)
{
	struct buf text = BUF_INIT(1000);

	for (int i = 0; i < YAML_DEPTH_MAX - 1; i++)
		(void)buf_append_char(&text, '[');
	for (int i = 0; i < YAML_DEPTH_MAX - 1; i++)
		(void)buf_append_char(&text, ']');
	(void)buf_append_char(&text, '\0');
	yaml_free(parse_tree((const char *)text.data, YAML_FORM_YAML));
	buf_truncate(&text, 0);
	for (int i = 0; i < 500; i++)
		(void)buf_append_char(&text, '[');

	struct report report = { 0 };
	struct yaml *yaml = NULL;
	assert_int_equal(yaml_parse(buf_view(&text), "f", YAML_FORM_YAML, &yaml, &report), -1);
	assert_true(report.error_count > 0);
	report_done(&report);
	buf_done(&text);
}

/* Each level stands for forty more: what walks the tree would need more stack the more levels there are. */
static void test_alias_tower(void **state)
{
	struct buf text = BUF_INIT(10000);

	for (int level = 0; level < 3; level++) {
		(void)buf_printf(&text, "a%d: &a%d ", level, level);
		for (int i = 0; i < 30; i++)
			(void)buf_append_char(&text, '[');
		if (level)
			(void)buf_printf(&text, "*a%d", level - 1);
		for (int i = 0; i < 30; i++)
			(void)buf_append_char(&text, ']');
		(void)buf_append_char(&text, '\n');
	}
	assert_problems(buf_view(&text), YAML_FORM_YAML,
			"E f:3:39: the file is nested too deeply\n");
	buf_done(&text);
}

/* Ten levels of ten aliases: ten thousand million values in 400 bytes. */
static void test_alias_bomb(void **state)
{
	struct buf text = BUF_INIT(10000);

	(void)buf_append_str(&text, STR("a0: &a0 [x]\n"));
	for (int level = 1; level <= 10; level++) {
		(void)buf_printf(&text, "a%d: &a%d [", level, level);
		for (int i = 0; i < 10; i++)
			(void)buf_printf(&text, "%s*a%d", i ? ", " : "", level - 1);
		(void)buf_append_str(&text, STR("]\n"));
	}
	struct report report = { 0 };
	struct yaml *yaml = NULL;
	assert_int_equal(yaml_parse(buf_view(&text), "f", YAML_FORM_YAML, &yaml, &report), -1);
	assert_int_equal(report.error_count, 1);
	assert_non_null(strstr(report.problems[0].text, "too many values"));
	report_done(&report);
	buf_done(&text);
}

static void test_too_many_keys(void **state)
{
	struct buf text = BUF_INIT(1u << 20);

	for (int i = 0; i <= YAML_KEYS_MAX; i++)
		(void)buf_printf(&text, "k%d: 1\n", i);
	assert_problems(buf_view(&text), YAML_FORM_YAML,
			"E f:4097:1: the mapping has too many keys\n");
	buf_done(&text);
}

static void test_digest(void **state)
{
	static const char *const texts[] = { "a: 1",      "a: 2",      "b: 1",      "a: '1'",
					     "a: [1]",    "a: {b: 1}", "a: [1, 2]", "a: [2, 1]",
					     "a: [12]",   "a: [[1]]",  "a: ",       "a: 1\nb: 2",
					     "a: [1, 1]", "[a, 1]" };
	uint64_t digests[ARRAY_LEN(texts)];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf spaced = BUF_INIT(100);
		struct yaml *yaml = parse_tree(texts[i], YAML_FORM_YAML);
		struct yaml *elsewhere;

		(void)buf_printf(&spaced, "# a comment\n\n%s\n%c", texts[i], '\0');
		elsewhere = parse_tree((const char *)spaced.data, YAML_FORM_YAML);
		digests[i] = yaml_digest(yaml_root(yaml));
		assert_true(digests[i] == yaml_digest(yaml_root(elsewhere)));
		for (size_t j = 0; j < i; j++)
			if (digests[i] == digests[j])
				fail_msg("%s and %s", texts[j], texts[i]);
		yaml_free(yaml);
		yaml_free(elsewhere);
		buf_done(&spaced);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_and_styles),
		cmocka_unit_test(test_aliases_and_merges),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_alias_tower),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_too_many_keys),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
