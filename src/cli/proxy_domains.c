#include "cli/proxy_domains.h"

#include <ctype.h>

static struct str without_dot(const char *domain)
{
	struct str text = str_from(domain);

	return str_starts_with(text, STR(".")) ? str_from_pos(text, 1) : text;
}

static bool is_at_or_below(struct str host, struct str domain)
{
	size_t offset;

	if (host.len < domain.len)
		return false;
	offset = host.len - domain.len;
	return str_equal_nocase(str_from_pos(host, offset), domain) &&
	       (offset == 0 || host.at[offset - 1] == '.');
}

bool proxy_domains_match(const char *const *domains, struct str host)
{
	if (str_ends_with(host, STR(".")))
		host.len--;
	for (size_t i = 0; domains[i]; i++)
		if (is_at_or_below(host, without_dot(domains[i])))
			return true;
	return false;
}

static bool is_domain(struct str domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if (!isalnum((unsigned char)domain.at[i]) && domain.at[i] != '-' &&
		    domain.at[i] != '_' && domain.at[i] != '.')
			return false;
	return domain.len > 0 && domain.at[0] != '.';
}

int proxy_domains_check(const char *const *domains, struct err *e)
{
	for (size_t i = 0; domains[i]; i++)
		if (!is_domain(without_dot(domains[i])))
			return err_set(e, ERR_CONFIG,
				       "--proxy-domain takes a name like corp.example.com");
	return 0;
}

void proxy_domains_write_pac(const char *const *domains, struct str address, bool takes_others,
			     struct buf *out)
{
	(void)buf_append_str(out, STR("function FindProxyForURL(url, host) {\n"
				      "\thost = host.toLowerCase();\n\tvar domains = ["));
	for (size_t i = 0; domains[i]; i++) {
		char lower[256];
		struct str domain = str_first(without_dot(domains[i]), sizeof(lower));

		str_lower(domain, lower);
		buf_printf(out, "%s\"%.*s\"", i ? ", " : "", (int)domain.len, lower);
	}
	buf_printf(out,
		   "];\n\tfor (var i = 0; i < domains.length; i++)\n"
		   "\t\tif (host === domains[i] || host.endsWith(\".\" + domains[i]))\n"
		   "\t\t\treturn \"SOCKS5 %.*s; PROXY %.*s\";\n",
		   STR_FMT(address), STR_FMT(address));
	if (takes_others)
		buf_printf(out, "\treturn \"PROXY %.*s; SOCKS5 %.*s\";\n}\n", STR_FMT(address),
			   STR_FMT(address));
	else
		(void)buf_append_str(out, STR("\treturn \"DIRECT\";\n}\n"));
}
