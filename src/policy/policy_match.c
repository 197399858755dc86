/*
 * policy_match.c - the string matcher and the string-list matcher (policy-language.md 5)
 *
 * A test holds its operands as a set whose texts are sorted: a list of thousands of users costs a dozen comparisons.
 * Comparison is by bytes and knows types; only a value whose type was lost on its way is taken for what the operand is.
 */

#include "base/mem.h"
#include "policy/policy_parts.h"

#define NUMBER_TEXT_MAX 63

/* Most sets have one text, and most texts another length: that is seen without a call. */
static bool is_text(const struct policy_value *operand, struct str text)
{
	return operand->text.len == text.len && str_equal(operand->text, text);
}

static bool set_has_text(const struct match_set *set, struct str text)
{
	size_t low = 0;
	size_t high = set->text_count;

	if (high == 1)
		return is_text(&set->items[0], text);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_compare(set->items[middle].text, text);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool is_integer(struct str text)
{
	size_t sign = text.len && text.at[0] == '-';

	for (size_t i = sign; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return text.len > sign;
}

/* Long integers are compared digit by digit: as numbers, neighbours would be equal. */
static bool number_is_text(const struct policy_value *number, struct str text)
{
	char copy[NUMBER_TEXT_MAX + 1];

	if (is_integer(number->text) && is_integer(text))
		return str_equal(number->text, text);
	if (!text_is_number(text) || text.len > NUMBER_TEXT_MAX)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return strtod(copy, NULL) == number->number;
}

static bool operand_is_value(const struct policy_value *operand, const struct policy_value *value)
{
	bool is_untyped = value->kind == POLICY_VALUE_UNTYPED;

	if (operand->kind == POLICY_VALUE_NUMBER)
		return is_untyped ? number_is_text(operand, value->text)
				  : value->kind == POLICY_VALUE_NUMBER &&
					    value->number == operand->number;
	if (is_untyped)
		return str_equal(value->text, operand->is_true ? STR("true") : STR("false"));
	return value->kind == POLICY_VALUE_BOOL && value->is_true == operand->is_true;
}

bool match_set_has(const struct match_set *set, const struct policy_value *value)
{
	if ((value->kind == POLICY_VALUE_TEXT || value->kind == POLICY_VALUE_UNTYPED) &&
	    set_has_text(set, value->text))
		return true;
	for (size_t i = set->text_count; i < set->count; i++)
		if (operand_is_value(&set->items[i], value))
			return true;
	return false;
}

static bool test_text(const struct match_test *t, struct str text)
{
	const struct policy_value value = { .kind = POLICY_VALUE_TEXT, .text = text };
	const struct match_set *set = &t->operands;

	switch (t->op) {
	case MATCH_IS:
	case MATCH_IN:
		return match_set_has(set, &value);
	case MATCH_NOT:
	case MATCH_NOT_IN:
		return !match_set_has(set, &value);
	case MATCH_STARTS_WITH:
		return str_starts_with(text, set->items[0].text);
	case MATCH_ENDS_WITH:
		return str_ends_with(text, set->items[0].text);
	case MATCH_CONTAINS:
		return str_contains(text, set->items[0].text);
	case MATCH_HAS:
	case MATCH_EXCLUDE:
		break;
	}
	return false;
}

bool match_text(const struct matcher *m, struct str text)
{
	for (size_t i = 0; i < m->count; i++)
		if (!test_text(&m->tests[i], text))
			return false;
	return true;
}

static bool test_any_text(const struct match_test *t, const struct config_list *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		if (test_text(t, texts->items[i]))
			return true;
	return false;
}

bool match_any_text(const struct matcher *m, const struct config_list *texts)
{
	for (size_t i = 0; i < m->count; i++)
		if (!test_any_text(&m->tests[i], texts))
			return false;
	return true;
}

static bool list_holds(enum match_op op, bool has, size_t count)
{
	if (op == MATCH_EXCLUDE)
		return !has;
	return has && (op == MATCH_HAS || count == 1);
}

static bool test_list(const struct match_test *t, match_value_at value_at, const void *arg)
{
	struct policy_value value;
	size_t count = 0;
	bool has = false;

	for (; !(has && t->op == MATCH_HAS) && value_at(arg, count, &value); count++)
		has = has || match_set_has(&t->operands, &value);
	return list_holds(t->op, has, count);
}

bool match_list(const struct matcher *m, match_value_at value_at, const void *arg)
{
	for (size_t i = 0; i < m->count; i++)
		if (!test_list(&m->tests[i], value_at, arg))
			return false;
	return true;
}

static bool test_texts(const struct match_test *t, const struct config_list *texts)
{
	bool has = false;

	for (size_t i = 0; i < texts->count && !has; i++)
		has = set_has_text(&t->operands, texts->items[i]);
	return list_holds(t->op, has, texts->count);
}

bool match_texts(const struct matcher *m, const struct config_list *texts)
{
	for (size_t i = 0; i < m->count; i++)
		if (!test_texts(&m->tests[i], texts))
			return false;
	return true;
}
