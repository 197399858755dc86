#include "proxy/session_issue.h"

#include "base/clock.h"
#include "jose/jws.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/session_token.h"
#include "session/store.h"

int session_issue_token(struct exchange *x, const struct session *session,
			struct str redirect_authority, struct str callback_authority,
			struct str *ret_token)
{
	struct str issuer = authenticate_authority(x);
	struct session_token token = {
		.issuer = issuer,
		.audience = { issuer },
		.audience_count = 1,
		.session_id = str_from(session->id),
		.user_id = session->who->user_id,
		.idp_id = session->idp_id,
		.issued_unix = clock_now_unix(),
		.server_version = store_server_version(x->worker->shared.store),
		.record_version = session->record_version,
	};
	struct buf text = BUF_INIT(JWS_MAX);
	int result;

	if (!str_is_empty(redirect_authority))
		token.audience[token.audience_count++] = redirect_authority;
	if (!str_is_empty(callback_authority))
		token.audience[token.audience_count++] = callback_authority;
	result = session_token_issue(x->snapshot->shared_key, &token, &text, NULL);
	if (result == 0)
		*ret_token = arena_copy(&x->arena, buf_view(&text));
	buf_done_secret(&text);
	return result;
}
