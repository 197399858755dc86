#include "proxy/form.h"

bool form_read(struct exchange *x, struct query *ret)
{
	struct str type = { 0 };

	(void)http_headers_get(&x->request->headers, STR("content-type"), &type);
	type = str_trim(str_first(type, str_find(type, ';')));
	return str_equal_nocase(type, STR("application/x-www-form-urlencoded")) &&
	       query_parse(x->request->body, &x->arena, ret, NULL) == 0;
}
