#include "proxy/route.h"

#include "base/url.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"

enum step stage_route(struct exchange *x)
{
	struct authority target;

	if (!x->request->is_connect)
		return endpoints_select(x);
	if (authority_parse_connect(x->request->authority, &target, NULL) == 0)
		x->route = route_table_find(&x->snapshot->routes, &target);
	if (!x->route)
		return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
	return STEP_NEXT;
}
