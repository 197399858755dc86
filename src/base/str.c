/*
 * str.c - plain byte work; nothing here depends on the locale
 */

#include "base/str.h"

#include "base/mem.h"

static unsigned char lower(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_equal_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	}
	return true;
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_equal(str_first(s, prefix.len), prefix);
}

bool str_starts_with_nocase(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_equal_nocase(str_first(s, prefix.len), prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_equal(str_from_pos(s, s.len - suffix.len), suffix);
}

bool str_contains(struct str s, struct str part)
{
	return part.len == 0 || (s.len >= part.len && memmem(s.at, s.len, part.at, part.len));
}

int str_compare(struct str a, struct str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;

	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

size_t str_find(struct str s, char c)
{
	const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;

	return hit ? (size_t)(hit - s.at) : s.len;
}

size_t str_find_last(struct str s, char c)
{
	const char *hit = s.len ? memrchr(s.at, c, s.len) : NULL;

	return hit ? (size_t)(hit - s.at) : s.len;
}

struct str str_from_pos(struct str s, size_t at)
{
	if (!s.at)
		return s;
	if (at > s.len)
		at = s.len;
	return (struct str){ .at = s.at + at, .len = s.len - at };
}

struct str str_first(struct str s, size_t len)
{
	return (struct str){ .at = s.at, .len = len < s.len ? len : s.len };
}

bool str_cut(struct str *rest, char separator, struct str *ret_head)
{
	struct str whole = *rest;

	if (!whole.at)
		return false;
	size_t pos = str_find(whole, separator);
	*ret_head = str_first(whole, pos);
	*rest = pos < whole.len ? str_from_pos(whole, pos + 1) : (struct str){ 0 };
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	size_t start = 0;
	size_t end = s.len;

	while (start < end && is_blank(s.at[start]))
		start++;
	while (end > start && is_blank(s.at[end - 1]))
		end--;
	return str_first(str_from_pos(s, start), end - start);
}

char *str_copy(struct str s)
{
	return mem_copy(s.at, s.len);
}

void str_lower(struct str s, char *to)
{
	for (size_t i = 0; i < s.len; i++)
		to[i] = (char)lower(s.at[i]);
}

char *str_copy_lower(struct str s)
{
	char *copy = str_copy(s);

	str_lower(s, copy);
	return copy;
}

bool str_to_uint64(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

bool str_is_printable_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < 0x20 || s.at[i] > 0x7e)
			return false;
	}
	return true;
}
