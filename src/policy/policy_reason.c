#include "policy/policy.h"

const char *policy_reason_name(enum policy_reason reason)
{
	static const char *const names[REASON_COUNT] = {
		[REASON_ACCEPT] = "accept",
		[REASON_CLAIM_OK] = "claim-ok",
		[REASON_CLAIM_UNAUTHORIZED] = "claim-unauthorized",
		[REASON_CLIENT_CERTIFICATE_OK] = "client-certificate-ok",
		[REASON_CLIENT_CERTIFICATE_REQUIRED] = "client-certificate-required",
		[REASON_CLIENT_CERTIFICATE_UNAUTHORIZED] = "client-certificate-unauthorized",
		[REASON_CORS_REQUEST] = "cors-request",
		[REASON_DATE_OK] = "date-ok",
		[REASON_DATE_UNAUTHORIZED] = "date-unauthorized",
		[REASON_DAY_OF_WEEK_OK] = "day-of-week-ok",
		[REASON_DAY_OF_WEEK_UNAUTHORIZED] = "day-of-week-unauthorized",
		[REASON_DEVICE_OK] = "device-ok",
		[REASON_DEVICE_UNAUTHENTICATED] = "device-unauthenticated",
		[REASON_DEVICE_UNAUTHORIZED] = "device-unauthorized",
		[REASON_DOMAIN_OK] = "domain-ok",
		[REASON_DOMAIN_UNAUTHORIZED] = "domain-unauthorized",
		[REASON_EMAIL_OK] = "email-ok",
		[REASON_EMAIL_UNAUTHORIZED] = "email-unauthorized",
		[REASON_GROUPS_OK] = "groups-ok",
		[REASON_GROUPS_UNAUTHORIZED] = "groups-unauthorized",
		[REASON_HTTP_HOST_OK] = "http-host-ok",
		[REASON_HTTP_HOST_UNAUTHORIZED] = "http-host-unauthorized",
		[REASON_HTTP_METHOD_OK] = "http-method-ok",
		[REASON_HTTP_METHOD_UNAUTHORIZED] = "http-method-unauthorized",
		[REASON_HTTP_PATH_OK] = "http-path-ok",
		[REASON_HTTP_PATH_UNAUTHORIZED] = "http-path-unauthorized",
		[REASON_INVALID_CLIENT_CERTIFICATE] = "invalid-client-certificate",
		[REASON_NON_CORS_REQUEST] = "non-cors-request",
		[REASON_NON_POMERIUM_ROUTE] = "non-pomerium-route",
		[REASON_POMERIUM_ROUTE] = "pomerium-route",
		[REASON_REJECT] = "reject",
		[REASON_ROUTE_NOT_FOUND] = "route-not-found",
		[REASON_SOURCE_IP_OK] = "source-ip-ok",
		[REASON_SOURCE_IP_UNAUTHORIZED] = "source-ip-unauthorized",
		[REASON_TIME_OF_DAY_OK] = "time-of-day-ok",
		[REASON_TIME_OF_DAY_UNAUTHORIZED] = "time-of-day-unauthorized",
		[REASON_USER_OK] = "user-ok",
		[REASON_USER_UNAUTHENTICATED] = "user-unauthenticated",
		[REASON_USER_UNAUTHORIZED] = "user-unauthorized",
		[REASON_VALID_CLIENT_CERTIFICATE] = "valid-client-certificate",
	};

	return names[reason];
}

const char *policy_outcome_name(enum policy_outcome outcome)
{
	static const char *const names[] = {
		[POLICY_ALLOW] = "allow",
		[POLICY_LOGIN] = "login",
		[POLICY_DENY] = "deny",
	};

	return names[outcome];
}
