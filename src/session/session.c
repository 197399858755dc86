/*
 * session.c - the record and its count of references live in one object
 */

#include "session/session.h"

#include <assert.h>

#include "base/mem.h"
#include "base/ref.h"

struct session_object {
	struct session session;
	struct ref ref;
	char *idp_id;
	char *description;
};

static struct session_object *object_of(struct session *s)
{
	return container_of(s, struct session_object, session);
}

struct session *session_new(const struct session_facts *facts)
{
	struct session_object *object = mem_alloc(sizeof(*object));

	object->ref = REF_INIT;
	object->idp_id = str_copy(facts->idp_id);
	object->description = str_copy(facts->description);
	object->session = (struct session){
		.kind = facts->kind,
		.idp_id = str_of(object->idp_id, facts->idp_id.len),
		.description = str_of(object->description, facts->description.len),
		.who = identity_ref(facts->who),
		.issued_unix = facts->issued_unix,
		.expires_unix = facts->expires_unix,
		.valid_until_unix = facts->valid_until_unix,
		.record_version = facts->record_version,
	};
	memcpy(object->session.credential_tag, facts->credential_tag,
	       sizeof(facts->credential_tag));
	if (str_is_empty(facts->id)) {
		random_uuid(object->session.id);
	} else {
		assert(facts->id.len < sizeof(object->session.id));
		memcpy(object->session.id, facts->id.at, facts->id.len);
	}
	return &object->session;
}

struct session *session_with(const struct session *s, struct identity *who)
{
	struct session_facts facts = {
		.kind = s->kind,
		.id = str_from(s->id),
		.idp_id = s->idp_id,
		.description = s->description,
		.who = who,
		.issued_unix = s->issued_unix,
		.expires_unix = s->expires_unix,
		.valid_until_unix = s->valid_until_unix,
		.record_version = s->record_version,
	};

	memcpy(facts.credential_tag, s->credential_tag, sizeof(facts.credential_tag));
	return session_new(&facts);
}

struct session *session_ref(struct session *s)
{
	ref_get(&object_of(s)->ref);
	return s;
}

void session_unref(struct session *s)
{
	struct session_object *object;

	if (!s)
		return;
	object = object_of(s);
	if (!ref_put(&object->ref))
		return;
	identity_unref(s->who);
	mem_free(object->idp_id);
	mem_free(object->description);
	mem_free(object);
}

bool session_is_expired(const struct session *s, int64_t now_unix)
{
	return s->valid_until_unix != 0 && now_unix >= s->valid_until_unix;
}
