#include "cli/token_expiry.h"

#include "base/buf.h"
#include "base/codec.h"
#include "cli/credentials.h"
#include "jose/json_strict.h"

#define DEPTH_MAX  16
#define EXPIRY_MAX 253402300799.0 /* the end of the year 9999 */

static int64_t read_expiry(struct str payload)
{
	json_t *object = json_strict_read(payload, DEPTH_MAX, NULL);
	const json_t *value = object ? json_object_get(object, "exp") : NULL;
	double seconds = value && json_is_number(value) ? json_number_value(value) : 0;

	json_decref(object);
	return seconds >= 1 && seconds <= EXPIRY_MAX ? (int64_t)seconds : 0;
}

int64_t token_expiry(struct str token)
{
	struct buf payload = BUF_INIT(TOKEN_MAX);
	struct str rest = token;
	struct str header;
	struct str body;
	int64_t expiry = 0;

	if (str_cut(&rest, '.', &header) && str_cut(&rest, '.', &body) && rest.at &&
	    base64_decode(&payload, BASE64_URL, body) == 0)
		expiry = read_expiry(buf_view(&payload));
	buf_done_secret(&payload);
	return expiry;
}
