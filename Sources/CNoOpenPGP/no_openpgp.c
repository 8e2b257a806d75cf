/* SPDX-License-Identifier: Apache-2.0
 *
 * librnp's functions in a program that judges no signature: each says that it is not implemented.
 *
 * The host's code is one module with the code that verifies signatures. With these in the program the linker finds
 * nothing that it needs librnp for, which the machines of Grafana do not have, and none of what librnp needs. */
#include "no_openpgp.h"

#include <stdint.h>

/* RNP_ERROR_NOT_IMPLEMENTED; arguments that a function does not take are no matter to the caller. */
#define ABSENT(name) uint32_t name(void) { return 0x10000003; }

ABSENT(rnp_add_security_rule)
ABSENT(rnp_enarmor)
ABSENT(rnp_ffi_create)
ABSENT(rnp_ffi_destroy)
ABSENT(rnp_identifier_iterator_create)
ABSENT(rnp_identifier_iterator_destroy)
ABSENT(rnp_identifier_iterator_next)
ABSENT(rnp_import_keys)
ABSENT(rnp_input_destroy)
ABSENT(rnp_input_from_memory)
ABSENT(rnp_key_allows_usage)
ABSENT(rnp_key_export)
ABSENT(rnp_key_get_alg)
ABSENT(rnp_key_get_bits)
ABSENT(rnp_key_get_creation)
ABSENT(rnp_key_get_curve)
ABSENT(rnp_key_get_expiration)
ABSENT(rnp_key_get_fprint)
ABSENT(rnp_key_get_keyid)
ABSENT(rnp_key_get_primary_uid)
ABSENT(rnp_key_handle_destroy)
ABSENT(rnp_key_have_secret)
ABSENT(rnp_key_is_locked)
ABSENT(rnp_key_is_primary)
ABSENT(rnp_key_is_revoked)
ABSENT(rnp_key_unlock)
ABSENT(rnp_key_valid_till64)
ABSENT(rnp_locate_key)
ABSENT(rnp_op_generate_add_usage)
ABSENT(rnp_op_generate_create)
ABSENT(rnp_op_generate_destroy)
ABSENT(rnp_op_generate_execute)
ABSENT(rnp_op_generate_get_key)
ABSENT(rnp_op_generate_set_curve)
ABSENT(rnp_op_generate_set_expiration)
ABSENT(rnp_op_generate_set_hash)
ABSENT(rnp_op_generate_set_protection_cipher)
ABSENT(rnp_op_generate_set_protection_hash)
ABSENT(rnp_op_generate_set_protection_password)
ABSENT(rnp_op_generate_set_userid)
ABSENT(rnp_op_sign_add_signature)
ABSENT(rnp_op_sign_cleartext_create)
ABSENT(rnp_op_sign_destroy)
ABSENT(rnp_op_sign_execute)
ABSENT(rnp_op_sign_set_creation_time)
ABSENT(rnp_op_sign_set_hash)
ABSENT(rnp_op_verify_destroy)
ABSENT(rnp_op_verify_detached_create)
ABSENT(rnp_op_verify_execute)
ABSENT(rnp_op_verify_get_signature_at)
ABSENT(rnp_op_verify_get_signature_count)
ABSENT(rnp_op_verify_signature_get_handle)
ABSENT(rnp_op_verify_signature_get_status)
ABSENT(rnp_output_destroy)
ABSENT(rnp_output_memory_get_buf)
ABSENT(rnp_output_to_memory)
ABSENT(rnp_set_timestamp)
ABSENT(rnp_signature_get_alg)
ABSENT(rnp_signature_get_creation)
ABSENT(rnp_signature_get_expiration)
ABSENT(rnp_signature_get_hash_alg)
ABSENT(rnp_signature_get_keyid)
ABSENT(rnp_signature_get_type)
ABSENT(rnp_signature_handle_destroy)

const char *rnp_result_to_string(void) {
    return "this program judges no signatures";
}

void rnp_buffer_destroy(void) {
}
