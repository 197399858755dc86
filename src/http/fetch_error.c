/*
 * The sentence depends on curl's code and on who failed, the proxy or the host. curl's own text goes in only where it was
 * made from certificates and TLS: elsewhere it may repeat what a peer sent.
 */

#include "http/fetch_private.h"

#include "base/mem.h"
#include "http/http.h"

struct error_row {
	CURLcode code;
	enum err_kind kind;
	const char *text;
	bool is_proxy;
	bool has_detail;
};

static const struct error_row rows[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_DNS, "the name does not resolve", false, false },
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_DNS, "the name does not resolve", true, false },
	{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, "no connection in time", false, false },
	{ CURLE_PROXY, ERR_PROTOCOL, "it did not connect", true, false },
	{ CURLE_GOT_NOTHING, ERR_CLOSED, "it closed the connection without an answer", false,
	  false },
	{ CURLE_PARTIAL_FILE, ERR_CLOSED, "it closed the connection within the answer", false,
	  false },
	{ CURLE_SEND_ERROR, ERR_RESET, "the connection broke", false, false },
	{ CURLE_RECV_ERROR, ERR_RESET, "the connection broke or the answer is garbled", false,
	  false },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_TLS, "the certificate is not trusted", false, true },
	{ CURLE_SSL_ISSUER_ERROR, ERR_TLS, "the certificate is not trusted", false, true },
	{ CURLE_SSL_CONNECT_ERROR, ERR_TLS, "TLS failed", false, true },
	{ CURLE_SSL_CIPHER, ERR_TLS, "TLS failed", false, true },
	{ CURLE_SSL_ENGINE_INITFAILED, ERR_TLS, "TLS failed", false, true },
	{ CURLE_SSL_CACERT_BADFILE, ERR_TLS, "the certificate authorities cannot be read", false,
	  true },
	{ CURLE_OUT_OF_MEMORY, ERR_LIMIT, "out of memory", false, false },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL, "the answer is not HTTP", false, false },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL, "the answer is not HTTP", false, false },
	{ CURLE_HTTP2, ERR_PROTOCOL, "it broke the rules of HTTP/2", false, false },
	{ CURLE_HTTP2_STREAM, ERR_PROTOCOL, "it broke the rules of HTTP/2", false, false },
	{ CURLE_URL_MALFORMAT, ERR_PROTOCOL, "the URL of the request is not valid", false, false },
};

static const struct error_row *find_row(CURLcode code)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code == code)
			return &rows[i];
	}
	return NULL;
}

/* ---- who ---- */

/* curl names whom it could not reach in its text and nowhere else. */
static bool is_proxy_unreachable(const struct fetch *f)
{
	struct str name = fetch_proxy_name(f->proxy);
	struct str text = str_from(f->detail);
	size_t colon = str_find_last(name, ':');
	char start[CURL_ERROR_SIZE];

	if (str_is_empty(name))
		return false;
	if (str_find(str_from_pos(name, colon), ']') < name.len - colon)
		colon = name.len;
	(void)snprintf(start, sizeof(start), "Failed to connect to %.*s port %.*s",
		       STR_FMT(str_first(name, colon)), STR_FMT(str_from_pos(name, colon + 1)));
	return str_starts_with_nocase(text, str_from(start));
}

/* Puts the name of whoever failed in front. */
static void name_culprit(struct err *e, const struct fetch *f, bool is_proxy)
{
	struct str proxy = fetch_proxy_name(f->proxy);

	if (is_proxy && !str_is_empty(proxy))
		(void)err_wrap(e, "proxy %.*s", STR_FMT(proxy));
	else
		(void)err_wrap(e, "%s", f->host);
}

/* ---- what ---- */

/* What is worth repeating of "SSL certificate problem: self-signed certificate", "error:0A00010B:SSL routines::wrong
 * version number". */
static void copy_detail(const char *detail, char out[CURL_ERROR_SIZE])
{
	static const struct str beginnings[] = { STR("SSL certificate problem: "), STR("SSL: ") };
	struct str text = str_from(detail);
	const char *reason = strstr(detail, "routines::");

	if (reason)
		text = str_from(reason + strlen("routines::"));
	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		if (str_starts_with(text, beginnings[i]))
			text = str_from_pos(text, beginnings[i].len);
	}
	text = str_first(str_trim(text), CURL_ERROR_SIZE - 1);
	for (size_t i = 0; i < text.len; i++)
		out[i] = text.at[i] >= ' ' && text.at[i] <= '~' ? text.at[i] : '?';
	out[text.len] = '\0';
}

static void set_from_row(struct err *e, const struct fetch *f, const struct error_row *row)
{
	char detail[CURL_ERROR_SIZE] = "";
	long proxy_verdict = 0;

	if (row->has_detail)
		copy_detail(f->detail, detail);
	(void)err_set(e, row->kind, "%s%s%s", row->text, detail[0] ? ": " : "", detail);
	(void)curl_easy_getinfo(f->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy_verdict);
	name_culprit(e, f, row->is_proxy || proxy_verdict != 0);
}

static void set_unreachable(struct err *e, const struct fetch *f)
{
	long errnum = 0;

	(void)curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &errnum);
	if (errnum)
		(void)err_errno(e, (int)errnum, "no connection");
	else
		(void)err_set(e, ERR_UNREACHABLE, "no connection");
	if (e->kind == ERR_SYSTEM)
		e->kind = ERR_UNREACHABLE;
	name_culprit(e, f, is_proxy_unreachable(f));
}

static void set_limit(struct err *e, const struct fetch *f)
{
	if (f->body.is_overflown)
		(void)err_set(e, ERR_LIMIT, "%s: the answer is larger than %zu bytes", f->host,
			      f->body.max);
	else
		(void)err_set(e, ERR_LIMIT, "%s: the head of the answer is larger than %u bytes",
			      f->host, FETCH_HEAD_MAX);
}

void fetch_error_set(struct err *e, const struct fetch *f, CURLcode code)
{
	const struct error_row *row = find_row(code);
	long proxy_status = 0;

	(void)curl_easy_getinfo(f->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	if (code == CURLE_WRITE_ERROR) {
		set_limit(e, f);
	} else if (code == CURLE_COULDNT_CONNECT) {
		set_unreachable(e, f);
	} else if (proxy_status >= 300) {
		(void)err_set(e, ERR_PROTOCOL, "it does not connect to %s: %ld %s", f->host,
			      proxy_status, http_status_text((int)proxy_status));
		name_culprit(e, f, true);
	} else if (row) {
		set_from_row(e, f, row);
	} else {
		(void)err_set(e, ERR_PROTOCOL, "%s: %s", f->host, curl_easy_strerror(code));
	}
}

void fetch_error_set_timeout(struct err *e, const struct fetch *f)
{
	double seconds = (double)f->timeout_ms / 1000;
	curl_off_t began_us = 0;

	if (f->state == FETCH_WAITING) {
		(void)err_set(e, ERR_TIMEOUT,
			      "%s: not asked within %g s: %d other requests are under way", f->host,
			      seconds, FETCHES_MAX);
		return;
	}
	(void)curl_easy_getinfo(f->easy, CURLINFO_PRETRANSFER_TIME_T, &began_us);
	(void)err_set(e, ERR_TIMEOUT, "%s: no %s within %g s", f->host,
		      began_us ? "complete answer" : "connection", seconds);
}
