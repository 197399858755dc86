#pragma once

/*
 * admin_sessions.h - the operator looks at sessions and service accounts, revokes them, and makes accounts
 */

#include "proxy/admin_job.h"

/* GET: one page of job->kind after job->after, only those of job->user if that is set. */
void admin_sessions_list(struct admin_job *job);

/* DELETE: one record of job->kind, and the tunnels that are open in its name. */
void admin_sessions_revoke(struct admin_job *job, struct str id);

/* DELETE: all sessions of job->user, likewise. */
void admin_sessions_revoke_user(struct admin_job *job);

/* POST: body says who; answers with the token. */
void admin_account_create(struct admin_job *job, struct str body);
