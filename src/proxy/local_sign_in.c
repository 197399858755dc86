/*
 * /.pomerium/local/sign_in (extensions.md 2): the login page of the built-in identity provider.
 *
 * GET shows the form. POST checks, in this order: the Origin, the CSRF token of the form against the one in the cookie,
 * the signature of where to go next, the guard against guessing; then the password, on a helper thread. For a user who
 * does not exist that is done as well, against a hash that does not count, and takes as long.
 */

#include "base/clock.h"
#include "base/url.h"
#include "proxy/csrf.h"
#include "proxy/endpoints.h"
#include "proxy/form.h"
#include "proxy/local_login.h"
#include "proxy/login_cookies.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "session/signed_url.h"

enum step local_login_show_form(struct exchange *x, int status, const struct login_form *form)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = status };
	struct str csrf = csrf_token(x);

	login_page_write(&page, &(struct login_page){
					.host = x->facts.authority,
					.csrf = csrf,
					.next = form->next,
					.email = form->email,
					.problem = form->problem,
				});
	reply_header(&reply, STR("set-cookie"), csrf_cookie(x, csrf));
	if (form->retry_after_s > 0)
		reply_header(&reply, STR("retry-after"),
			     arena_printf(&x->arena, "%u", form->retry_after_s));
	reply_form_page(x, &reply, &page);
	return reply_send(x, &reply);
}

/* Only a sign-in URL with our signature, as path and query on this host. */
static bool next_is_genuine(struct exchange *x, struct str next, struct err *e)
{
	size_t path_len = str_find(next, '?');
	struct query params;

	if (!str_equal(str_first(next, path_len), STR("/.pomerium/sign_in"))) {
		(void)err_set(e, ERR_PROTOCOL, "it does not lead to the sign-in page");
		return false;
	}
	return signed_url_verify(x->snapshot->shared_key,
				 &(struct signed_url_parts){ x->facts.authority,
							     str_first(next, path_len),
							     str_from_pos(next, path_len + 1) },
				 clock_now_unix(), &x->arena, &params, e) == 0;
}

static enum step refuse_next(struct exchange *x, const struct err *e)
{
	return respond_error(x, 400,
			     arena_printf(&x->arena,
					  "This link is not valid: %s. Start the login again.",
					  e->text));
}

static enum step check_form(struct exchange *x)
{
	struct login_form form = { 0 };
	struct str csrf = { 0 };
	struct err e = { 0 };
	struct query fields;

	if (!form_read(x, &fields))
		return respond_error(x, 400, STR("This form is broken."));
	(void)query_get(&fields, STR("csrf"), &csrf);
	(void)query_get(&fields, STR("next"), &form.next);
	(void)query_get(&fields, STR("email"), &form.email);
	(void)query_get(&fields, STR("password"), &form.password);
	form.email = str_trim(form.email);
	if (!csrf_is_right(x, csrf))
		return respond_error(
			x, 400,
			STR("This form did not come from this site, or your browser refuses cookies. "
			    "Start the login again."));
	if (!next_is_genuine(x, form.next, &e))
		return refuse_next(x, &e);
	return local_login_check_password(x, &form);
}

enum step endpoint_local_sign_in(struct exchange *x)
{
	struct login_form form = { 0 };
	struct err e = { 0 };
	struct query query;

	if (x->snapshot->config->idp_provider != CONFIG_IDP_LOCAL)
		return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
	if (str_equal(x->request->method, STR("POST")))
		return check_form(x);
	if (query_parse(x->request->query, &x->arena, &query, NULL) < 0 ||
	    !query_get(&query, STR("next"), &form.next))
		return respond_error(x, 400,
				     STR("This link is not complete. Start the login again."));
	if (!next_is_genuine(x, form.next, &e))
		return refuse_next(x, &e);
	return local_login_show_form(x, 200, &form);
}
