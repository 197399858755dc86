#include "cli/proxy_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/url.h"
#include "cli/destination.h"
#include "cli/options.h"
#include "tls/tls_config.h"

static const char *first_of(const char *const values[2])
{
	for (size_t i = 0; i < 2; i++)
		if (values[i] && values[i][0])
			return values[i];
	return NULL;
}

/* what names the source in errors. text NULL: no proxy. */
static int read_one(const char *text, const char *what, struct proxy_url *ret, struct err *e)
{
	if (!text || proxy_url_parse(str_from(text), ret, e) == 0)
		return 0;
	return err_wrap(e, "%s does not name a proxy", what);
}

static int read_environment(const struct proxy_environment *environment, struct proxy_options *out,
			    struct err *e)
{
	const char *all = first_of(environment->all);
	const char *https = first_of(environment->https);
	const char *http = first_of(environment->http);

	out->no_proxy = mem_copy_string(first_of(environment->none));
	if (read_one(https ? https : all, https ? "HTTPS_PROXY" : "ALL_PROXY", &out->for_https, e) <
	    0)
		return -1;
	return read_one(http ? http : all, http ? "HTTP_PROXY" : "ALL_PROXY", &out->for_http, e);
}

static int read_flag(const char *flag, struct proxy_options *out, struct err *e)
{
	out->is_forced = true;
	if (flag[0] == '\0' || strcmp(flag, "none") == 0)
		return 0;
	if (read_one(flag, "--proxy", &out->for_https, e) < 0)
		return -1;
	return read_one(flag, "--proxy", &out->for_http, e);
}

int proxy_options_read(const char *flag, const struct proxy_environment *environment,
		       struct proxy_options *ret, struct err *e)
{
	struct proxy_options out = { 0 };

	if ((flag ? read_flag(flag, &out, e) : read_environment(environment, &out, e)) < 0) {
		proxy_options_done(&out);
		return -1;
	}
	*ret = out;
	return 0;
}

/* As other programs do it: what was read is made unreadable for ps. */
static void hide_credentials(const char *flag)
{
	char *text = (char *)(uintptr_t)flag; /* argv is the program's to write to */
	char *end = text ? strrchr(text, '@') : NULL;
	char *begin = text ? strstr(text, "://") : NULL;

	for (char *at = begin ? begin + 3 : text; end && at < end; at++)
		*at = 'x';
}

static bool speaks_tls(const struct proxy_url *url)
{
	return url->host && url->kind == PROXY_HTTPS;
}

int proxy_options_load(const struct options *options, struct tls_config *tls,
		       struct proxy_options *ret, struct err *e)
{
	const struct proxy_environment environment = {
		.https = { getenv("https_proxy"), getenv("HTTPS_PROXY") },
		.http = { getenv("http_proxy"), getenv("HTTP_PROXY") },
		.all = { getenv("all_proxy"), getenv("ALL_PROXY") },
		.none = { getenv("no_proxy"), getenv("NO_PROXY") },
	};
	struct proxy_options out = { 0 };

	if (proxy_options_read(options->proxy, &environment, &out, e) < 0)
		return -1;
	hide_credentials(options->proxy);
	if (speaks_tls(&out.for_https) || speaks_tls(&out.for_http))
		out.tls = tls_config_ref(tls);
	*ret = out;
	return 0;
}

void proxy_options_done(struct proxy_options *proxies)
{
	proxy_url_done(&proxies->for_https);
	proxy_url_done(&proxies->for_http);
	mem_free(TAKE(proxies->no_proxy));
	tls_config_unref(TAKE(proxies->tls));
}

static const struct proxy_url *choose(const struct proxy_options *proxies, struct str host,
				      uint16_t port, bool uses_tls)
{
	const struct proxy_url *url = uses_tls ? &proxies->for_https : &proxies->for_http;

	if (!url->host)
		return NULL;
	if (!proxies->is_forced &&
	    (host_is_loopback(host) || proxy_is_exempt(str_from(proxies->no_proxy), host, port)))
		return NULL;
	return url;
}

const struct proxy_url *proxy_options_choose(const struct proxy_options *proxies,
					     const struct destination *destination)
{
	if (!proxies)
		return NULL;
	return choose(proxies, str_from(destination->gateway_host), destination->gateway_port,
		      destination->uses_tls);
}

const struct proxy_url *proxy_options_choose_for_other(const struct proxy_options *proxies,
						       struct str host, uint16_t port,
						       bool is_http_request)
{
	if (host_is_loopback(host))
		return NULL;
	return choose(proxies, host, port, !is_http_request);
}

static bool leads_to(const struct proxy_url *url, const struct authority *address)
{
	struct str host = str_from(url->host);
	bool is_every_address = str_equal(address->host, STR("0.0.0.0")) ||
				str_equal(address->host, STR("::"));

	if (!url->host || url->port != address->port)
		return false;
	if (host_is_loopback(host))
		return is_every_address || host_is_loopback(address->host);
	return str_equal(host, address->host);
}

bool proxy_options_lead_to(const struct proxy_options *proxies, struct str address)
{
	struct authority authority;

	if (authority_parse(address, false, &authority, NULL) < 0)
		return false; /* a socket in the file system */
	return leads_to(&proxies->for_https, &authority) ||
	       leads_to(&proxies->for_http, &authority);
}
