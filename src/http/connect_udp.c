#include "http/connect_udp.h"

#include "http/tunnel_path.h"

bool connect_udp_is_request(const struct http_request *request, struct arena *arena,
			    struct str *ret_authority)
{
	const struct http_headers *headers = &request->headers;

	return str_equal(request->method, STR("GET")) && request->minor_version == 1 &&
	       http_headers_has_token(headers, STR("connection"), STR("upgrade")) &&
	       http_headers_has_token(headers, STR("upgrade"), STR("connect-udp")) &&
	       tunnel_path_read(request->path, STR(TUNNEL_PATH_UDP), arena, ret_authority);
}

bool connect_udp_write_path(struct buf *out, struct str authority)
{
	return tunnel_path_write(out, STR(TUNNEL_PATH_UDP), authority);
}
