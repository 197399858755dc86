/*
 * policy_match_read.c - matchers from the configuration
 *
 * What is legal but cannot ever match - a list where one value is compared, a number where the fact is a text - is read
 * as the language says, and warned of.
 */

#include "base/mem.h"
#include "policy/policy_parts.h"

/* [-] digits [. digits] [e [sign] digits], no needless zeros: JSON's numbers, which are YAML's as well */
static size_t skip_digits(struct str text, size_t at)
{
	while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9')
		at++;
	return at;
}

static bool is_at(struct str text, size_t at, char c)
{
	return at < text.len && text.at[at] == c;
}

bool text_is_number(struct str text)
{
	size_t begin = is_at(text, 0, '-');
	size_t at = skip_digits(text, begin);

	if (at == begin || (at > begin + 1 && text.at[begin] == '0'))
		return false;
	if (is_at(text, at, '.')) {
		begin = at + 1;
		at = skip_digits(text, begin);
		if (at == begin)
			return false;
	}
	if (is_at(text, at, 'e') || is_at(text, at, 'E')) {
		begin = at + 1;
		begin += is_at(text, begin, '+') || is_at(text, begin, '-');
		at = skip_digits(text, begin);
		if (at == begin)
			return false;
	}
	return at == text.len;
}

static bool is_one_of(struct str text, const char *a, const char *b, const char *c)
{
	return str_equal(text, str_from(a)) || str_equal(text, str_from(b)) ||
	       str_equal(text, str_from(c));
}

bool value_read(struct reader *r, const struct yaml_node *node, struct policy_value *ret)
{
	if (node->kind != YAML_SCALAR)
		return false;
	struct policy_value value = { .text = arena_copy(&r->policy->arena, node->text) };

	if (!node->is_quoted && text_is_number(node->text)) {
		value.kind = POLICY_VALUE_NUMBER;
		value.number = strtod(value.text.at, NULL); /* NUL-terminated by the arena */
	} else if (!node->is_quoted && is_one_of(node->text, "true", "True", "TRUE")) {
		value.kind = POLICY_VALUE_BOOL;
		value.is_true = true;
	} else if (!node->is_quoted && is_one_of(node->text, "false", "False", "FALSE")) {
		value.kind = POLICY_VALUE_BOOL;
	}
	*ret = value;
	return true;
}

/* ---- sets ---- */

static int compare_texts(const void *a, const void *b)
{
	const struct policy_value *left = a;
	const struct policy_value *right = b;

	return str_compare(left->text, right->text);
}

struct match_set match_set_make(struct policy_value *values, size_t count)
{
	size_t text_count = 0;

	for (size_t i = 0; i < count; i++) {
		struct policy_value value = values[i];

		if (value.kind != POLICY_VALUE_TEXT)
			continue;
		values[i] = values[text_count];
		values[text_count++] = value;
	}
	if (text_count > 1)
		qsort(values, text_count, sizeof(*values), compare_texts);
	return (struct match_set){ .items = values, .count = count, .text_count = text_count };
}

struct matcher matcher_make(struct reader *r, enum match_op op, const struct str *texts,
			    size_t count)
{
	struct arena *arena = &r->policy->arena;
	struct policy_value *values = arena_alloc_array(arena, count, sizeof(*values));
	struct match_test *test = arena_alloc(arena, sizeof(*test));
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (texts[i].len)
			values[kept++].text = arena_copy(arena, texts[i]);
	*test = (struct match_test){ .op = op, .operands = match_set_make(values, kept) };
	return (struct matcher){ .tests = test, .count = 1 };
}

/* ---- operators ---- */

enum operand { OPERAND_VALUE, OPERAND_LIST, OPERAND_TEXT };

struct operator_row {
	const char *name;
	enum match_op op;
	enum operand operand;
};

static const struct operator_row text_operators[] = {
	{ "is", MATCH_IS, OPERAND_VALUE },
	{ "not", MATCH_NOT, OPERAND_VALUE },
	{ "in", MATCH_IN, OPERAND_LIST },
	{ "starts_with", MATCH_STARTS_WITH, OPERAND_TEXT },
	{ "ends_with", MATCH_ENDS_WITH, OPERAND_TEXT },
	{ "contains", MATCH_CONTAINS, OPERAND_TEXT },
	{ "not_in", MATCH_NOT_IN, OPERAND_LIST }, /* last: not for MATCH_KIND_ANY_TEXT */
};

static const struct operator_row list_operators[] = {
	{ "has", MATCH_HAS, OPERAND_VALUE },
	{ "is", MATCH_IS, OPERAND_VALUE },
	{ "exclude", MATCH_EXCLUDE, OPERAND_VALUE },
};

struct vocabulary {
	const struct operator_row *rows; /* the first is that of a bare value */
	size_t count;
	const char *names;
	bool is_texts; /* the facts are texts: other values equal none of them */
	bool is_host;  /* texts are compared in lower case */
};

static const struct vocabulary vocabularies[] = {
	[MATCH_KIND_TEXT] = { text_operators, ARRAY_LEN(text_operators),
			      "is, not, in, not_in, starts_with, ends_with, contains", true,
			      false },
	[MATCH_KIND_HOST] = { text_operators, ARRAY_LEN(text_operators),
			      "is, not, in, not_in, starts_with, ends_with, contains", true, true },
	[MATCH_KIND_ANY_TEXT] = { text_operators, ARRAY_LEN(text_operators) - 1,
				  "is, not, in, starts_with, ends_with, contains", true, false },
	[MATCH_KIND_LIST] = { list_operators, ARRAY_LEN(list_operators), "has, is, exclude", true,
			      false },
	[MATCH_KIND_VALUES] = { list_operators, ARRAY_LEN(list_operators), "has, is, exclude",
				false, false },
};

static struct str copy_lower(struct arena *arena, struct str text)
{
	char *copy = arena_alloc(arena, text.len);

	str_lower(text, copy);
	return str_of(copy, text.len);
}

static void warn_of_vain_operand(struct reader *r, const struct vocabulary *v,
				 const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_NULL:
		reader_warning(r, node->at, "null equals nothing");
		break;
	case YAML_SEQUENCE:
		reader_warning(r, node->at, "a list is compared as a whole and equals nothing: %s",
			       v->rows == text_operators ? "use \"in\""
							 : "write one criterion per value");
		break;
	case YAML_MAPPING:
		reader_warning(r, node->at, "a mapping equals nothing");
		break;
	case YAML_SCALAR:
		reader_warning(r, node->at,
			       "%.*s is not a text and equals none: write it in quotes",
			       STR_FMT(node->text));
		break;
	}
}

static bool read_scalar(struct reader *r, const struct vocabulary *v, const struct yaml_node *node,
			struct policy_value *ret)
{
	if (!value_read(r, node, ret))
		return false;
	if (v->is_host)
		ret->text = copy_lower(&r->policy->arena, ret->text);
	return true;
}

/* Appends to values what can be equal to something. */
static size_t read_value(struct reader *r, const struct vocabulary *v, const struct yaml_node *node,
			 struct policy_value *values, size_t count)
{
	bool is_value = read_scalar(r, v, node, &values[count]);

	if (!is_value || (v->is_texts && values[count].kind != POLICY_VALUE_TEXT))
		warn_of_vain_operand(r, v, node);
	return count + is_value;
}

static void read_list(struct reader *r, const struct vocabulary *v, const struct yaml_node *node,
		      struct match_test *ret)
{
	if (node->kind != YAML_SEQUENCE) {
		reader_error(r, node->at, "a list is needed here");
		return;
	}
	struct policy_value *values = arena_alloc_array(&r->policy->arena, node->count,
							sizeof(*values));
	size_t count = 0;

	for (size_t i = 0; i < node->count; i++) {
		size_t mark = reader_enter(r, "[%zu]", i);

		count = read_value(r, v, node->items[i], values, count);
		reader_leave(r, mark);
	}
	ret->operands = match_set_make(values, count);
}

static void read_operand(struct reader *r, const struct vocabulary *v,
			 const struct operator_row *row, const struct yaml_node *node,
			 struct match_test *ret)
{
	ret->op = row->op;
	if (row->operand == OPERAND_LIST) {
		read_list(r, v, node, ret);
		return;
	}
	struct policy_value *value = arena_alloc(&r->policy->arena, sizeof(*value));
	size_t count = 0;

	if (row->operand == OPERAND_VALUE)
		count = read_value(r, v, node, value, 0);
	else if (read_scalar(r, v, node, value) && value->kind == POLICY_VALUE_TEXT)
		count = 1;
	else
		reader_error(r, node->at, "a text is needed here");
	ret->operands = match_set_make(value, count);
}

static const struct operator_row *find_operator(const struct vocabulary *v, struct str name)
{
	for (size_t i = 0; i < v->count; i++)
		if (str_equal(name, str_from(v->rows[i].name)))
			return &v->rows[i];
	return NULL;
}

static void read_operators(struct reader *r, const struct vocabulary *v,
			   const struct yaml_node *node, struct match_test *tests)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct operator_row *row = find_operator(v, pair->key);

		if (!row) {
			reader_error(r, pair->at, "\"%.*s\" is not an operator here (%s)",
				     STR_FMT(pair->written), v->names);
			continue;
		}
		size_t mark = reader_enter(r, ".%s", row->name);
		read_operand(r, v, row, pair->value, &tests[i]);
		reader_leave(r, mark);
	}
}

void matcher_read(struct reader *r, const struct yaml_node *node, enum match_kind kind,
		  struct matcher *ret)
{
	const struct vocabulary *v = &vocabularies[kind];
	bool is_mapping = node->kind == YAML_MAPPING;
	size_t count = is_mapping ? node->count : 1;
	struct match_test *tests = arena_alloc_array(&r->policy->arena, count, sizeof(*tests));

	if (is_mapping)
		read_operators(r, v, node, tests);
	else
		read_operand(r, v, &v->rows[0], node, &tests[0]);
	*ret = (struct matcher){ .tests = tests, .count = count };
}
