#include "proxy/forwarded.h"

/* The element index from the end, from 1; counts on over several headers. */
static bool find_from_end(struct str value, uint32_t *index, struct str *ret)
{
	for (;;) {
		size_t comma = str_find_last(value, ',');
		bool is_first = comma == value.len;

		if (--*index == 0) {
			*ret = str_trim(is_first ? value : str_from_pos(value, comma + 1));
			return true;
		}
		if (is_first)
			return false;
		value = str_first(value, comma);
	}
}

bool forwarded_client(const struct http_headers *headers, uint32_t trusted_hops, struct addr *ret)
{
	struct str ip;

	if (trusted_hops == 0)
		return false;
	for (size_t i = headers->count; i > 0; i--) {
		const struct http_header *header = &headers->items[i - 1];

		if (str_equal_nocase(header->name, STR("x-forwarded-for")) &&
		    find_from_end(header->value, &trusted_hops, &ip))
			return addr_from_ip_or_pair(ip, ret);
	}
	return false;
}
