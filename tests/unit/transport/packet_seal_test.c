/* SPDX-License-Identifier: BSD-3-Clause */
/* Known answers for both sealers, what they say of each other's packets, and of forged ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <intel-ipsec-mb.h>

#include "packet_keys.h"
#include "packet_seal.h"

#define BYTES_MAX 512u
#define SEALERS 2u

struct bytes {
	size_t length;
	uint8_t data[BYTES_MAX];
};

static struct bytes hex(const char *digits)
{
	struct bytes out = {0};

	for (; digits[0]; digits += 2) {
		char pair[3] = {digits[0], digits[1], '\0'};

		assert_true(out.length < BYTES_MAX);
		out.data[out.length++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return out;
}

static void assert_bytes(const uint8_t *data, const char *digits)
{
	struct bytes wanted = hex(digits);

	assert_memory_equal(data, wanted.data, wanted.length);
}

/* Not asked of IPsec-MB, so that a choice gone wrong does not skip its own test. */
static bool cpu_can(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

/* As ngtcp2_crypto_gnutls names it. */
static ngtcp2_crypto_aead aead_of(gnutls_cipher_algorithm_t cipher)
{
	return (ngtcp2_crypto_aead){(void *)(uintptr_t)cipher, MIGC_PACKET_TAG_BYTES};
}

/* One key in the hands of each sealer. */
struct fixture {
	struct migc_packet_sealer *sealer;
	const struct migc_packet_seal_ops *ops[SEALERS];
	ngtcp2_crypto_aead aead;
	ngtcp2_crypto_aead_ctx keys[SEALERS];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || migc_packet_sealer_create(MIGC_TRANSPORT_SEALER_AUTO, &f->sealer) < 0)
		return -1;
	f->ops[0] = &migc_packet_seal_gnutls;
	f->ops[1] = &migc_packet_seal_ipsec_mb;
	return 0;
}

static void make_keys(struct fixture *f, const char *key_digits)
{
	struct bytes key = hex(key_digits);

	if (!cpu_can())
		skip();
	assert_ptr_equal(migc_packet_sealer_chosen(f->sealer), &migc_packet_seal_ipsec_mb);
	f->aead = aead_of(key.length == 32 ? GNUTLS_CIPHER_AES_256_GCM : GNUTLS_CIPHER_AES_128_GCM);
	assert_int_equal(ngtcp2_crypto_aead_ctx_encrypt_init(&f->keys[0], &f->aead, key.data, 12),
			 0);
	f->keys[1].native_handle = migc_packet_key_new(f->sealer, key.data, key.length);
	assert_non_null(f->keys[1].native_handle);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < SEALERS; i++) {
		if (f->keys[i].native_handle)
			f->ops[i]->delete_key(NULL, &f->keys[i], NULL);
	}
	migc_packet_sealer_free(f->sealer);
	free(f);
	return 0;
}

static int seal(const struct fixture *f, unsigned int i, uint8_t *dest, const struct bytes *plain,
		const struct bytes *nonce, const struct bytes *aad)
{
	return f->ops[i]->seal(dest, &f->aead, &f->keys[i], plain->data, plain->length, nonce->data,
			       nonce->length, aad->data, aad->length);
}

static int unseal(const struct fixture *f, unsigned int i, uint8_t *dest,
		  const struct bytes *sealed, const struct bytes *nonce, const struct bytes *aad)
{
	return f->ops[i]->open(dest, &f->aead, &f->keys[i], sealed->data, sealed->length,
			       nonce->data, nonce->length, aad->data, aad->length);
}

/* RFC 9001 appendix A.1. */
static void keys_are_derived_as_the_rfc_says(void **state)
{
	struct bytes client =
		hex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea");
	struct bytes server =
		hex("3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b");
	struct migc_packet_key_bytes derived;
	ngtcp2_crypto_ctx ctx = {0};

	(void)state;
	ctx.aead = aead_of(GNUTLS_CIPHER_AES_128_GCM);
	ctx.md.native_handle = (void *)(uintptr_t)GNUTLS_DIG_SHA256;
	assert_int_equal(migc_packet_keys_derive(&ctx, client.data, client.length, &derived), 0);
	assert_int_equal(derived.key_bytes, 16);
	assert_bytes(derived.key, "1f369613dd76d5467730efcbe3b1a22d");
	assert_bytes(derived.iv, "fa044b2f42a3fd3b46fb255c");
	assert_bytes(derived.header_key, "9f50449e04a0e810283a1e9933adedd2");
	assert_int_equal(migc_packet_keys_derive(&ctx, server.data, server.length, &derived), 0);
	assert_bytes(derived.key, "cf3a5331653c364c88f0f379b6067e37");
	assert_bytes(derived.iv, "0ac1493ca1905853b0bba03e");
	assert_bytes(derived.header_key, "c206b8d9b9f0f37644430b490eeaa314");
}

/* RFC 9001 appendix A.3: the server's Initial, packet number 1. */
static void the_packet_of_the_rfc_is_sealed_and_opened(void **state)
{
	static const char sealed_digits[] =
		"5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a"
		"1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd9"
		"3795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";
	struct bytes plain =
		hex("02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988"
		    "cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c940d89"
		    "690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304");
	struct bytes header = hex("c1000000010008f067a5502a4262b50040750001");
	struct bytes nonce = hex("0ac1493ca1905853b0bba03f");
	struct bytes sealed = hex(sealed_digits);
	struct fixture *f = *state;
	unsigned int i;

	make_keys(f, "cf3a5331653c364c88f0f379b6067e37");
	for (i = 0; i < SEALERS; i++) {
		uint8_t out[BYTES_MAX];

		assert_int_equal(seal(f, i, out, &plain, &nonce, &header), 0);
		assert_bytes(out, sealed_digits);
		assert_int_equal(unseal(f, i, out, &sealed, &nonce, &header), 0);
		assert_memory_equal(out, plain.data, plain.length);
	}
}

/* NIST's GCM test case 16. */
static void keys_of_256_bits_give_the_known_answer(void **state)
{
	static const char sealed_digits[] =
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7"
		"b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b";
	struct bytes plain =
		hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c"
		    "3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
	struct bytes aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
	struct bytes nonce = hex("cafebabefacedbaddecaf888");
	struct bytes sealed = hex(sealed_digits);
	struct fixture *f = *state;
	unsigned int i;

	make_keys(f, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
	for (i = 0; i < SEALERS; i++) {
		uint8_t out[BYTES_MAX];

		assert_int_equal(seal(f, i, out, &plain, &nonce, &aad), 0);
		assert_bytes(out, sealed_digits);
		assert_int_equal(unseal(f, i, out, &sealed, &nonce, &aad), 0);
		assert_memory_equal(out, plain.data, plain.length);
	}
}

static void each_opens_what_the_other_sealed(struct fixture *f)
{
	struct bytes nonce = hex("000102030405060708090a0b");
	struct bytes plain = {0}, sealed = {0}, aad = {0};
	unsigned int i;

	for (i = 0; i < BYTES_MAX; i++)
		plain.data[i] = (uint8_t)(i * 7);
	for (plain.length = 0; plain.length <= 300; plain.length++) {
		uint8_t opened[BYTES_MAX];

		aad.length = plain.length % 24;
		for (i = 0; i < SEALERS; i++) {
			/* In place, as ngtcp2 seals. */
			sealed = plain;
			assert_int_equal(seal(f, i, sealed.data, &sealed, &nonce, &aad), 0);
			sealed.length += MIGC_PACKET_TAG_BYTES;
			assert_int_equal(unseal(f, 1 - i, opened, &sealed, &nonce, &aad), 0);
			assert_memory_equal(opened, plain.data, plain.length);
		}
	}
}

static void any_length_opens_at_the_other_sealer(void **state)
{
	make_keys(*state, "000102030405060708090a0b0c0d0e0f");
	each_opens_what_the_other_sealed(*state);
}

static void any_length_opens_at_the_other_sealer_with_256_bits(void **state)
{
	make_keys(*state, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	each_opens_what_the_other_sealed(*state);
}

static void a_forged_packet_does_not_open_and_shows_nothing(void **state)
{
	static const uint8_t zeros[BYTES_MAX];
	struct bytes nonce = hex("000102030405060708090a0b");
	struct bytes aad = hex("41aabbccdd0001");
	struct bytes plain = {.length = 100};
	struct fixture *f = *state;
	unsigned int i, bit;

	make_keys(f, "000102030405060708090a0b0c0d0e0f");
	memset(plain.data, 0x5a, plain.length);
	for (i = 0; i < SEALERS; i++) {
		struct bytes sealed = {.length = plain.length + MIGC_PACKET_TAG_BYTES};

		assert_int_equal(seal(f, i, sealed.data, &plain, &nonce, &aad), 0);
		for (bit = 0; bit < 8 * (sealed.length + aad.length + nonce.length); bit++) {
			struct bytes forged = sealed, forged_aad = aad, forged_nonce = nonce;
			uint8_t flip = (uint8_t)(1u << bit % 8);
			uint8_t opened[BYTES_MAX] = {0};
			size_t at = bit / 8;

			if (at < sealed.length)
				forged.data[at] ^= flip;
			else if (at < sealed.length + aad.length)
				forged_aad.data[at - sealed.length] ^= flip;
			else
				forged_nonce.data[at - sealed.length - aad.length] ^= flip;
			assert_int_equal(unseal(f, i, opened, &forged, &forged_nonce, &forged_aad),
					 NGTCP2_ERR_DECRYPT);
			/* GnuTLS leaves it to who calls. */
			if (f->ops[i] == &migc_packet_seal_ipsec_mb)
				assert_memory_equal(opened, zeros, sizeof(opened));
		}
		/* Cut off, down to less than a tag. */
		for (; sealed.length--;) {
			uint8_t opened[BYTES_MAX] = {0};

			assert_int_equal(unseal(f, i, opened, &sealed, &nonce, &aad),
					 NGTCP2_ERR_DECRYPT);
			if (f->ops[i] == &migc_packet_seal_ipsec_mb)
				assert_memory_equal(opened, zeros, sizeof(opened));
		}
	}
}

static void a_key_is_wiped_when_freed_and_its_place_used_again(void **state)
{
	static const uint8_t zeros[sizeof(struct gcm_key_data)];
	static const uint8_t key[32] = {1};
	struct fixture *f = *state;
	void *handles[MIGC_PACKET_KEYS_MAX];
	unsigned int i;

	if (!cpu_can())
		skip();
	assert_ptr_equal(migc_packet_sealer_chosen(f->sealer), &migc_packet_seal_ipsec_mb);
	for (i = 0; i < MIGC_PACKET_KEYS_MAX; i++) {
		handles[i] = migc_packet_key_new(f->sealer, key, i % 2 ? 16 : 32);
		assert_non_null(handles[i]);
		assert_ptr_equal(migc_packet_sealer_of(f->sealer, handles[i]),
				 &migc_packet_seal_ipsec_mb);
	}
	assert_null(migc_packet_key_new(f->sealer, key, 16));
	migc_packet_key_free(handles[3]);
	assert_memory_equal(handles[3], zeros, sizeof(zeros));
	assert_ptr_equal(migc_packet_key_new(f->sealer, key, 16), handles[3]);
	/* Any other handle is GnuTLS's. */
	assert_ptr_equal(migc_packet_sealer_of(f->sealer, f), &migc_packet_seal_gnutls);
	assert_ptr_equal(migc_packet_sealer_of(NULL, handles[0]), &migc_packet_seal_gnutls);
}

static void gnutls_seals_where_the_cpu_has_no_aes(void **state)
{
	(void)state;
	assert_true(migc_packet_sealer_cpu_can(IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ));
	assert_true(migc_packet_sealer_cpu_can(IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ |
					       IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS));
	assert_false(migc_packet_sealer_cpu_can(0));
	assert_false(migc_packet_sealer_cpu_can(IMB_FEATURE_AESNI));
	assert_false(migc_packet_sealer_cpu_can(IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_AESNI_EMU));
	assert_false(migc_packet_sealer_cpu_can(IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ |
						IMB_FEATURE_SELF_TEST));
}

static void the_choice_can_be_forced_and_other_suites_are_gnutls(void **state)
{
	struct migc_packet_sealer *sealer = NULL;
	struct fixture *f = *state;
	ngtcp2_crypto_aead aes = aead_of(GNUTLS_CIPHER_AES_256_GCM);
	ngtcp2_crypto_aead chacha = aead_of(GNUTLS_CIPHER_CHACHA20_POLY1305);

	assert_int_equal(migc_packet_sealer_create(MIGC_TRANSPORT_SEALER_GNUTLS, &sealer), 0);
	assert_ptr_equal(migc_packet_sealer_for(sealer, &aes), &migc_packet_seal_gnutls);
	migc_packet_sealer_free(sealer);
	assert_ptr_equal(migc_packet_sealer_for(f->sealer, &aes),
			 migc_packet_sealer_chosen(f->sealer));
	assert_ptr_equal(migc_packet_sealer_for(f->sealer, &chacha), &migc_packet_seal_gnutls);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_are_derived_as_the_rfc_says),
		TEST(the_packet_of_the_rfc_is_sealed_and_opened),
		TEST(keys_of_256_bits_give_the_known_answer),
		TEST(any_length_opens_at_the_other_sealer),
		TEST(any_length_opens_at_the_other_sealer_with_256_bits),
		TEST(a_forged_packet_does_not_open_and_shows_nothing),
		TEST(a_key_is_wiped_when_freed_and_its_place_used_again),
		TEST(gnutls_seals_where_the_cpu_has_no_aes),
		TEST(the_choice_can_be_forced_and_other_suites_are_gnutls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
