#include "proxy/form.h"

bool form_read(struct exchange *x, struct query *ret)
{
	struct str type = { 0 };

	(void)http_headers_get(&x->request->headers, STR("content-type"), &type);
	type = str_trim(str_first(type, str_find(type, ';')));
	return str_equal_nocase(type, STR("application/x-www-form-urlencoded")) &&
	       query_parse(x->request->body, &x->arena, ret, NULL) == 0;
}

bool form_get_once(const struct query *form, struct str name, struct str *ret_value)
{
	struct str value = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < form->count; i++) {
		if (!str_equal(form->items[i].name, name))
			continue;
		value = form->items[i].value;
		count++;
	}
	if (count > 1)
		return false;
	*ret_value = value;
	return true;
}
