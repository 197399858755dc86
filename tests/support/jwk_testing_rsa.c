/*
 * jwk_testing_rsa.c - keys made beforehand: under an emulator it takes seconds to find the primes of one
 */

#include "tests/support/jwk_testing.h"

#include <assert.h>

#include <openssl/pem.h>

static const struct {
	const char *type;
	const char *size;
	const char *pem;
} keys[] = {
	{ "RSA", "1024",
	  "-----BEGIN PRIVATE KEY-----\n"
	  "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANCVJiU4FfYysoZ2\n"
	  "Xs8PgAtFha1PQQej5v4Xt2u2bbHXDROMpSnLkfFkjph/jrkE6dCusEk10gxbaSy8\n"
	  "go/yxSdC+ijBN8w5QzcoLpnpzKxGgelhpya6E3D/PGl7IWRGIebvzRQbTHppKoUO\n"
	  "89X0pZ2opN5aSIsLyg/8UawEO98hAgMBAAECgYBe4bn8bErxN5amO+pc3nwspG9u\n"
	  "qwK16wUEyN0TDmVP5Ld6ERyAqq201T1YeY3+9BE4cH6YjvcB0AND6myp9pFfvFoe\n"
	  "26BGCowd9VMmRddcVnskCbFamVtspL9TgT490A10rKSQcZhPSwlgggiQrgv6M7GS\n"
	  "I6bsR45c2ZKfTkDHEQJBAPDct3RBK1wfCSmX/u2JYcicIJ1hZInz126XAddr6QZ5\n"
	  "JHAqnfsnMSjk86U2XS7+qH/u7xAEB2ulAeuAX0VXuZsCQQDdsRRfaoGVGAQTqzfQ\n"
	  "AgKMzzISgbG+/wUte2T0lbeUVbLaGSBfelwl/USmJmrxB18686S1dd+okmIMbOz5\n"
	  "a6PzAkEAlv4Gk353LBzYpZZ/XXGONzCI0aBIYqLWHqHTqbQgNMqkqRxORS/ghX5h\n"
	  "ruRRrjA+eVTT0Pp1nGmotnWXQ+UmmQJAKILbfjQwSdaBqDZ5lIFJhgG23LrmiEiB\n"
	  "4bXS1P8m9OxUKpa827W4cRi/Gr2afUEjndo4FxDbNirJ0At3onyREQJBANdfoaCE\n"
	  "U9FMYn6XGOsZy4HcJNUvSpmdQrYQ+XcVMgV72hovOUNMcVDBq2cxul0YTPpFaRql\n"
	  "EIBJgaxbiNKBg1I=\n"
	  "-----END PRIVATE KEY-----\n" },
	{ "RSA", "2047",
	  "-----BEGIN PRIVATE KEY-----\n"
	  "MIIEuwIBADANBgkqhkiG9w0BAQEFAASCBKUwggShAgEAAoIBAHSp9I8a/tOzKQ+Y\n"
	  "wFH2JD+N2Z/A0jzWv7vqIfd0GnDQXF75wwu+z4wPip17TSB0JzuODQZPi2xEuVAr\n"
	  "/tDBi1V+AZrYT4wblxhVz5ogxp3FC84MJORFnSSAbtzxGGOxya2BP1jIPYdYUwPA\n"
	  "BiyP1Pq0F75BEKg8cZidU/Yfd7U22HG6OyUXagr6MFP+JkrsivRD0pFVmg0qpbJN\n"
	  "gzaTRI8PTtm3IQo8eMG5VP8jk1bz18AUp14pGqQfI2yVX85uIm/w8tT65Cu2ngNv\n"
	  "WC2eSxhAgUpjBdYmZkn6i8X93Ww70+/afi3Le6SrtnvspLIxIlo/+paR5D/TYLj1\n"
	  "zl5yrtUCAwEAAQKCAQAFHM2S1+QC8v8Bp/gFn3vHLTg0QAb2k5KjcYc7iOL/vqHN\n"
	  "p7Rcd2gxAx1X+WdP3Mc7XOZFOIcrn3dfhA4Op+yrOnJnjsMtqKfecSQ/5N/PWitC\n"
	  "RFX5ivNv/hDdrdMby1bDO77C7UOFAuHgcDHVEhiLRAkmVUOdm8h+n6ZmSsq8LjLa\n"
	  "L2z4yEeQr2YH2nWq6z12kjfaEaixtmCstd6ds+o5C5Y2HqdqUcgU919ViQqiMzJu\n"
	  "ncm44duI2ht4su6iUVQ1gbM13Nfmf4FSS+hnU3puB0jEK+iDww82iCJ8Yn9gtI+w\n"
	  "xePvzacCVI/dpMK59eCet+jhDXYZEVpkyk+FV5KhAoGBAP0xvujugFbkSI7CSGuX\n"
	  "ineo5+NoySg4rzVqoiTF/mR/rDOOUFvZRC1UzmIQxZ/VbfKMb+qVHM8qb0b141jC\n"
	  "tZz7AJcpWOITVIchMlqgMI/GI8SNYiV5cC4YTwaOEqe7M2OEd789I0kK8ZIldfgC\n"
	  "FTted6yektfBV90cTQQo4/KDAoGAdfTnbgFabldGyCSQKAmWGNZwwSNsG/Vd/TJo\n"
	  "CrCIwmGWg/eJN+mN1HNiXXUbnlvsKuxQj/qlN0RqTk7nkaF5L/1TafikWMtsFrkg\n"
	  "OeCDrlnNsQVSdtqcSHQLsnQWX3p8o0lfeUM76d3dmc0jNbcvo4sRE2jQD3pAu2YL\n"
	  "hn8WOccCgYA/USJh08rqb9opQTKlHVd2Rxn+R6UOVuaR4CG+Onk8nqTsm6lC3tlq\n"
	  "0Ktv4KvbJZ+CKVaPfkyfDgiX4UPCXabXI/no02Ez4AuiY03ZVffu7GjjbUve/Tht\n"
	  "foy8oejOY0UdnPHpNBvP11nD53RR2gt/NkeNNnaYV/RmCf7EjIk8iwKBgAtUB93i\n"
	  "t2KdcyjJiiauNQIRpiaGVl2hBPPKIX/VUG0Knj/yR/VcsshShIHhO1PMFDRTGbGa\n"
	  "Kr/SDDuVDFxKG69mLtqgjHgSoUDVaqjkTQEzkrOLhU3w1M2Ih48N4xAsXUf5RfgJ\n"
	  "Yvmk2yFoOBdyjlqwgmVQzZqO7SSSOk0ia2oFAoGBAPGeW6UEMtVmhkt71TBBbnn4\n"
	  "C/RgZIu/vi+MiVn2q4sy7YhrXgA1bkBEK+lCDtzwCpsCaLqA8sEK6iGLUy7D3ShB\n"
	  "BsHaYLJ2QdTsolI6Yj2TuIKYKWI+nBFj0Rn4EPHTkNUKEKxSRlFpRJbhPruWs9RN\n"
	  "z8uRlVG+zua8ltYDIg/0\n"
	  "-----END PRIVATE KEY-----\n" },
	{ "RSA", "2048",
	  "-----BEGIN PRIVATE KEY-----\n"
	  "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCqzgLPRjSCYZVp\n"
	  "tQ1KdSeORSwpjS4cg+RWvHCvAWap38fNC2hwN/gWLO9lwUS3JQ8+1BNsTDBGOpJ3\n"
	  "igH2OYQ7HZwYQToa4EZpcmw6BHBA0JQJjZR0H0KzWC4+8qoccYgVMbImqPaykGSr\n"
	  "OvJkDaaVB1N0A+6vmCNlwuxvIjwmmnG8e1pfQKlxDDiE2FQOpC/liZgeIqPabXkh\n"
	  "Plih32jbcG01RF6L6x+RZO5abvljXh7WF2H9QwYyJyev+qDieLLSnKj6A1rHjD6M\n"
	  "31CI/qJt/5dU2K+75JmFS7yt3BkV2BH/5KYNElJA2E/bPR79BUw/2NZI78vtjVP7\n"
	  "ZQ1qwix5AgMBAAECggEABJbZMLpHTCcE0ZSnpSPhcpNFeN7WGbZJ/vIceXlJScBt\n"
	  "YQMg1N4OHINr0cE4AE8+uf6PAIqKBAMMHynePGBGfyOgJ28uOV1kCu6D/amTngw0\n"
	  "pA6Rqe6Sl1jD0lVpEG9U+5PMoHkK+tiCGe8xJtLOkmPCYGRAKCfncJMkkOZbtSJH\n"
	  "MTlnKYWq6FXju10b5BGYYPT4IwN1DGOVIiLG1Ca6G3XzqbVbFOhDwjTcH9JajwP/\n"
	  "JnsLvcLe1Tv1NVzJiIdr4GOL70avey5KgJ8/xPS7fsCA+ujM8HKJGl8CmBPjX+um\n"
	  "mXDhyF+yqdTvSuSBPDm9Y9ZNrjq3gYm940rorQ8LAQKBgQDdsR5C1Tzvuv4v5BWq\n"
	  "czijGZlFI+N03B8JlzxX1nD1Mt2xWHPYhRk8+22hG9AaDsqgO+ufcFHE/nFJSfWc\n"
	  "8Gjhgj0N7pNFsGxXIQ3ExAIIjSidZVkFaUwePvlNS0I05GZo6qu85nAhzH23qK26\n"
	  "NYN89ohK/hRfHbmTZDScgM2zAQKBgQDFPN7hW9gVqjxUAhlKoORjcitMo0IZsvYO\n"
	  "5px6FxztbNlMh+0/tth50ush5PDr9hZ6Xwtl+Fhxue29ftzHIToL94mzh/C1Ui7V\n"
	  "Y2LaaN5eYgMVkh9aeMMbiS5wm683CMmrGtvMF3+Z3tmtSOyHXW+oDu8GwOd+cE+z\n"
	  "kultKCWReQKBgQDdSFX0T/SrNfNSyk/1+1ylMIAUy2XW14EDibnp01qc5VD0HF5F\n"
	  "2VT/0dfz4FcwK2OF3Umrs+lqwK9DgFdxd2a48c8PgPvvq9H4hj3AEgYVkxDfSrI4\n"
	  "/InGBwXBaUWElhbC0rrpqvpyQjOahvwhyhidO1d/w22CI6GAxZzeOpMYAQKBgQDC\n"
	  "OabhFKg87V5q+4YcT0OYCh1JYpr845YaJk2AjLIXu1BgZJnkXBHgJSsWPXRhZ/vK\n"
	  "lT2MNHojw4uxRvPxw259ykz3Va5bX4pu52e42/vdxXZ0D2iAltrKitQIX8ay0xyE\n"
	  "Ofani5xD0YdZdK42vnPtcoc+h0du4voZQ1pJ+3bDQQKBgBPU+xQuz3ymz3D6uuz1\n"
	  "nj8ulVFL4NiPtvbUzNd0OJxB/vrkC4j0w6MFqqHYYpxAv5yCPUUZOP8h8ZE32a78\n"
	  "Oa5igN5f1Q0RKQ6p2gVXVNFQ0qSJQuVNTTinNiGpRTtLCNWZggkkgbLBrwHxOyF5\n"
	  "Fn5K2PSYugNGu0Czp4lHuPFl\n"
	  "-----END PRIVATE KEY-----\n" },
	{ "RSA-PSS", "2048",
	  "-----BEGIN PRIVATE KEY-----\n"
	  "MIIEuwIBADALBgkqhkiG9w0BAQoEggSnMIIEowIBAAKCAQEA0FbJTvvF9VDZAxSQ\n"
	  "mNvOvSsL9T4o1w47R6zn6gaL2g4+td+D4EBffdtquM9H4IK0mSsEYSSYPxzgnxFe\n"
	  "9Rj5Ewz1SOwgeebE1zsdMQvGG8EH+cPbol12omvYo5gOtnZEACXiech4QqnZEli5\n"
	  "wLMMOncnO9iS9Y/rpMf4t0Re5ZiGoGUMgUdIPGlFfRb3LHAB907YSRiWG1dLzmOa\n"
	  "zqSbhkxoyV8RRzDt03bRPt5GHpq76xVjLBMUB/TCaWTViMI+f6pa6Ac4tBSUQLi4\n"
	  "X82ia7xkDdibMWOqwwyRY3uTiUHqgZNjlB1hvSkcg+g/Iw210mUzEpNTdJQokPzj\n"
	  "OwLYtQIDAQABAoIBAC3wzUBM9ZiERO5QdRg39C0zllX0aIYPndPO1W7+FY22cW6i\n"
	  "hI6JM2Vp4m0xTAy+VbumyDbxnl7ga8m3x2QtpxLj2xzC8OBgmkxJvUSo730EQlF5\n"
	  "tm9lw7jKJkHg0HG8v37226t2IMq2cGcCyKcs9EfaKX0hYzqiC1jRPc+P1Is1Ap17\n"
	  "vlZTjX3Ux22xkH3lzhxbqNZ2hbPed0FpLS/ENOptczVI0wcxY/SlWloVJOvlP5nz\n"
	  "gpQeYaQIXj85z4tpIxitujzWKWbT+QByn65XsVJI7t6hiupc2dgxgl7Gtq/GxJHR\n"
	  "hAXw4RGqWmxVe9ml5BLbAgRuYrc/GEa3gEZNnEsCgYEA8OoiOz4rhO67XfzZutwk\n"
	  "3ySQIhlv+hVM9NkFJUr3O/KTZCNAOo9waqSvnvz6HiPnaM+/9sf5IbEw+bKKAlxu\n"
	  "HfLXks886uKXdEAMI/d4+Vou1RH+gt+FAxS7TNMr2tqoCxSDL32UuU3vm2GSmqtR\n"
	  "IekQ2EpEv9j7kWTCVJWa+4cCgYEA3WJ3JiX/KouPUxlNActyoVPwuZFEgJhAlDwf\n"
	  "INThzghvxEC492aM7ytRfix3OKOWOEreTV7rrAXl9YVwevyhGuTCyXf0NAa7UIPW\n"
	  "n2Qd7cY8Tv+He6Msmok53a6gz1I9JjqjPq6YnlPdty+16IGpSqz3VqNrGmK6LTnj\n"
	  "+CFPsOMCgYEAsvOn88utdfQDV8BfVy75cItvSPUOOXyjCmk+KkJyPaRlmYeZySYN\n"
	  "QhoMnhOaEtNmrHNNS5mlVEKTd5cIbtKLtVFSkinAPVWNXPvKSNklkktL6FeSb1Jr\n"
	  "MiuvKVTfCZVMJ9bXz2oAFFlw90FWLe+9t2uxaIhaYwthatGmjEAIvHcCgYBzbhLH\n"
	  "/knUah4Z6vg+9lBXk8fRSdAY6MnLQKnOWZE+9yEnh8Opo3vafJCqJA8ppgn+YfMV\n"
	  "Dmf9MrobUS87wRtTRXHW0EexFM14BrXSN8ZvIsxxOETxDzyDeweD8biBQNUHaM2T\n"
	  "Mj/7VakmCadkiq61dAgm0WBXyqBeUm/uAZhmlwKBgD/500qXGJPsqyt3CQ6O6ucd\n"
	  "rTuDjEIr7HLdUYI72IbXFZS4QuCq/I+L0GXJtFfEGmMkgcT64pxj45VuMr/8cgM1\n"
	  "e5ZnqYxRDu0u/KmOhnIC0whbXg+Ywtn7qbRx8k7z6sP61yWKGFTKBvK7LiZd1yes\n"
	  "361mNyyPWYsB65FkqRVk\n"
	  "-----END PRIVATE KEY-----\n" },
};

EVP_PKEY *jwk_testing_rsa(const char *type, const char *size)
{
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		BIO *bio;

		if (strcmp(keys[i].type, type) != 0 || strcmp(keys[i].size, size) != 0)
			continue;
		bio = BIO_new_mem_buf(keys[i].pem, -1);
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		BIO_free(bio);
	}
	assert(key);
	return key;
}
