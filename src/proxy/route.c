#include "proxy/route.h"

#include "base/url.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"
#include "proxy/worker.h"

struct route *route_find(const struct snapshot *snapshot, struct str authority)
{
	struct authority target;

	if (authority_parse_connect(authority, &target, NULL) < 0)
		return NULL;
	return route_table_find(&snapshot->routes, &target);
}

/*
 * What opens a tunnel with a GET a page of anybody could ask for, and the browser would add its reader's cookie and client
 * certificate, and come from his address. But it says so: programs have no Origin.
 */
static bool is_from_web_page(const struct http_request *request)
{
	struct str origin;

	return http_headers_get(&request->headers, STR("origin"), &origin);
}

enum step stage_route(struct exchange *x)
{
	if (!x->request->is_connect)
		return endpoints_select(x);
	if (x->worker->mode == WORKER_REFUSES)
		return respond_refusal(x, REFUSAL_SHUTTING_DOWN);
	if (is_from_web_page(x->request))
		return respond_refusal(x, REFUSAL_WEB_PAGE);
	x->route = route_find(x->snapshot, x->request->authority);
	if (!x->route)
		return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
	if (x->route->config->is_udp != x->request->is_udp)
		return respond_refusal(x, REFUSAL_WRONG_KIND);
	return STEP_NEXT;
}
