/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_protocol.h: what the server and grafana-plugin-runner say to each other; both are built from this file.
 *
 * They talk over one socketpair of type SEQPACKET, which the runner finds at descriptor RUNNER_SOCKET. A packet holds
 * one or more whole messages. A message is a runner_header_t, the fixed struct of its type, and the bytes that the
 * spans of that struct point to. All is little-endian, aligned to 8 bytes.
 *
 * Growth is that of the plugin ABI: a fixed struct begins with struct_size, members are only appended, and each side
 * reads min(struct_size, its own sizeof) bytes and takes what is missing as zero. A message of an unknown type is
 * skipped when it has RUNNER_OPTIONAL, and ends the connection when not.
 *
 * A message that is larger than a packet travels in a sealed memory file: its header, with RUNNER_SPILLED, goes in a
 * packet with the descriptor, and the file holds the whole message.
 */
#ifndef GRAFANA_RUNNER_PROTOCOL_H
#define GRAFANA_RUNNER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

/* The version of this file, in runner_hello_t; the runner is installed with its server, so that both have the same. */
#define RUNNER_VERSION 1u

#define RUNNER_SOCKET 3 /* descriptor of the socket in the runner */
#define RUNNER_IMAGE 4  /* descriptor of the sealed library in the runner */

#define RUNNER_PACKET_MAX 65536u       /* bytes of a packet */
#define RUNNER_MESSAGE_MAX 1073741824u /* bytes of a message that spills */
#define RUNNER_ASK_MAX 67108864u       /* bytes of a message of the runner, which takes no arena for it */
#define RUNNER_INLINE_MAX 16384u       /* bytes of values that travel in a message; more lie in an arena */
#define RUNNER_FDS_MAX 8u              /* descriptors of a packet */
#define RUNNER_ARENAS_MAX 1024u

/* Flags of a header. */
#define RUNNER_OPTIONAL 1u
#define RUNNER_SPILLED 2u

typedef struct runner_header {
    uint32_t length;   /* of the whole message, this header included: a multiple of 8 */
    uint32_t type;     /* RUNNER_… */
    uint64_t call;     /* the handle of a call, the number of an instance or of a host call; as the type says */
    uint32_t sequence; /* counts the messages of a sender, from 1; of a reply: that of its host call */
    uint32_t flags;
    uint32_t fd_count; /* descriptors of the packet that belong to this message */
    uint32_t reserved;
} runner_header_t;

/* Bytes of a message, counted from the start of its header. An array is a span of whole elements. */
typedef struct runner_span {
    uint32_t offset;
    uint32_t length;
} runner_span_t;

typedef struct runner_pair {
    runner_span_t key;
    runner_span_t value;
} runner_pair_t;

/* ---------------------------------------------------------------------------------------------------------------
 * From the server. The comment says what header.call is, and the struct of the body.
 */
#define RUNNER_HELLO 1u    /* –, runner_hello_t: the first message */
#define RUNNER_OPEN 2u     /* call, none */
#define RUNNER_CREATE 3u   /* call, runner_create_t */
#define RUNNER_DRAIN 4u    /* instance, none */
#define RUNNER_DESTROY 5u  /* instance, none */
#define RUNNER_CLOSE 6u    /* –, none: answered with BYE */
#define RUNNER_START 7u    /* call, runner_start_t */
#define RUNNER_CANCEL 8u   /* call, none */
#define RUNNER_CREDIT 9u   /* call, none: the window is open again; answers WAIT */
#define RUNNER_EVENT 10u   /* call, runner_event_t */
#define RUNNER_REFUSED 11u /* call, runner_status_t: the sink takes no more, with that status */
#define RUNNER_FREE 12u    /* –, runner_free_t */
#define RUNNER_REPLY 13u   /* –, runner_reply_t: sequence is that of the HOST_CALL */

/* From the runner. */
#define RUNNER_HELLO_OK 32u  /* –, runner_hello_ok_t */
#define RUNNER_FAILED 33u    /* –, runner_text_t: the library cannot be used; number is RUNNER_FAILED_… */
#define RUNNER_OPENED 34u    /* call, runner_opened_t */
#define RUNNER_CREATED 35u   /* call, runner_status_t */
#define RUNNER_BYE 36u       /* –, none */
#define RUNNER_SCHEMA 37u    /* call, runner_schema_t */
#define RUNNER_BATCH 38u     /* call, runner_batch_t */
#define RUNNER_BYTES 39u     /* call, runner_bytes_t */
#define RUNNER_HEAD 40u      /* call, runner_head_t */
#define RUNNER_NOTICE 41u    /* call, runner_notice_t */
#define RUNNER_PROGRESS 42u  /* call, runner_progress_t */
#define RUNNER_ERROR 43u     /* call, runner_error_t */
#define RUNNER_COMPLETE 44u  /* call, runner_status_t */
#define RUNNER_REJECT 45u    /* call, runner_text_t: the plugin emitted what cannot be read */
#define RUNNER_FAULT 46u     /* –, runner_text_t: the plugin broke a rule; number is that of GF-R-… */
#define RUNNER_WAIT 47u      /* call, none: asks for CREDIT */
#define RUNNER_ARENA_ADD 48u /* –, runner_arena_t, one descriptor */
#define RUNNER_ARENA_DROP 49u /* –, runner_arena_t */
#define RUNNER_LOG 50u       /* –, runner_log_t */
#define RUNNER_METRIC 51u    /* –, runner_metric_change_t */
#define RUNNER_HOST_CALL 52u /* call or 0, runner_host_call_t */
#define RUNNER_DESTROYED 53u /* instance, none: its configuration is not asked for any more */

typedef struct runner_hello {
    uint32_t struct_size;
    uint32_t version; /* RUNNER_VERSION */
    uint32_t abi_minor;
    uint32_t level; /* GF_LEVEL_… */
    uint64_t arena_bytes; /* all arenas together */
    uint64_t memory_bytes; /* limit of private memory; 0: none */
    uint32_t files; /* limit of open descriptors; 0: none */
    uint32_t reserved;
    runner_span_t server_name;
    runner_span_t server_version;
    runner_span_t extensions; /* ids of the host's extensions, each followed by a newline */
    runner_span_t folders; /* paths that a sandbox lets the plugin read, each followed by a newline */
} runner_hello_t;

typedef struct runner_hello_ok {
    uint32_t struct_size;
    uint32_t version;
    uint32_t kinds;
    uint32_t abi_built;
    uint32_t abi_needed;
    uint32_t capabilities;
    uint32_t concurrency;
    uint32_t max_parallel;
    uint32_t sandbox; /* RUNNER_SANDBOX_…: what the kernel lets the sandbox enforce */
    uint32_t reserved;
    runner_span_t id;
    runner_span_t plugin_version;
} runner_hello_ok_t;

#define RUNNER_SANDBOX_SECCOMP 1u
#define RUNNER_SANDBOX_FILES 2u
#define RUNNER_SANDBOX_TCP 4u
#define RUNNER_SANDBOX_NETWORK 8u

#define RUNNER_FAILED_MAP 1u   /* dlopen */
#define RUNNER_FAILED_ENTRY 2u /* no gf_entry_v1 */
#define RUNNER_FAILED_HOST 3u  /* the entry returned NULL */
#define RUNNER_FAILED_SETUP 4u /* the runner could not limit itself as it was told */

typedef struct runner_text {
    uint32_t struct_size;
    uint32_t number;
    runner_span_t text;
} runner_text_t;

typedef struct runner_status {
    uint32_t struct_size;
    int32_t status;
} runner_status_t;

typedef struct runner_metric {
    uint32_t type;
    uint32_t reserved;
    runner_span_t name;
    runner_span_t help;
    runner_span_t labels; /* runner_pair_t */
    runner_span_t bounds; /* double */
} runner_metric_t;

typedef struct runner_opened {
    uint32_t struct_size;
    int32_t status;
    runner_span_t extensions; /* ids that the library has, each followed by a newline */
    runner_span_t description; /* JSON of gf.describe/1 */
    runner_span_t metrics; /* runner_metric_t */
} runner_opened_t;

typedef struct runner_create {
    uint32_t struct_size;
    uint32_t basic_auth;
    uint64_t instance; /* the number that later messages name it by */
    uint64_t handle; /* gf_instance_config.handle */
    int64_t id;
    int64_t org_id;
    int64_t updated;
    runner_span_t uid;
    runner_span_t name;
    runner_span_t plugin_id;
    runner_span_t url;
    runner_span_t user;
    runner_span_t database;
    runner_span_t basic_auth_user;
    runner_span_t json_data;
} runner_create_t;

typedef struct runner_query {
    int64_t from;
    int64_t to;
    int64_t interval;
    int64_t max_data_points;
    int64_t max_rows;
    runner_span_t ref_id;
    runner_span_t query_type;
    runner_span_t json;
} runner_query_t;

/* A call with the request of its kind; the members of other kinds are zero. */
typedef struct runner_start {
    uint32_t struct_size;
    uint32_t kind; /* GF_CALL_… */
    uint64_t instance;
    int64_t deadline; /* CLOCK_MONOTONIC in nanoseconds, or INT64_MAX */
    int64_t bytes_left;
    int64_t rows_left;
    int64_t window;
    /* Facts. */
    int64_t org_id;
    uint32_t is_server;
    uint32_t has_input;
    runner_span_t login;
    runner_span_t name;
    runner_span_t email;
    runner_span_t role;
    runner_span_t trace_context;
    runner_span_t locale;
    runner_span_t headers; /* runner_pair_t, names in lower case */
    runner_span_t input; /* what gf_call_host.read reads */
    /* Query. */
    runner_span_t queries; /* runner_query_t */
    /* Health. */
    uint32_t depth;
    uint32_t reserved;
    /* Resource. */
    int64_t content_length;
    runner_span_t method;
    runner_span_t path; /* stream as well */
    runner_span_t query;
    runner_span_t request_headers; /* runner_pair_t */
    /* Stream. */
    runner_span_t data;
    runner_span_t resume_token;
} runner_start_t;

typedef struct runner_event {
    uint32_t struct_size;
    uint32_t event; /* GF_EVENT_… */
    uint64_t source;
} runner_event_t;

typedef struct runner_free {
    uint32_t struct_size;
    uint32_t reserved;
    runner_span_t released; /* uint64_t: numbers of batches and buffers */
} runner_free_t;

typedef struct runner_field {
    int64_t flags;
    runner_span_t format;
    runner_span_t name;
    runner_span_t metadata; /* runner_pair_t */
} runner_field_t;

typedef struct runner_schema {
    uint32_t struct_size;
    uint32_t frame;
    runner_span_t ref_id;
    runner_span_t metadata; /* runner_pair_t */
    runner_span_t fields; /* runner_field_t */
} runner_schema_t;

/* Where the bytes of a buffer lie: in an arena, or, with arena 0, in the message itself. */
typedef struct runner_buffer {
    uint32_t arena;
    uint32_t reserved;
    uint64_t offset;
    uint64_t length;
} runner_buffer_t;

typedef struct runner_column {
    int64_t length;
    int64_t offset;
    int64_t null_count;
    uint32_t buffer_count;
    uint32_t reserved;
} runner_column_t;

typedef struct runner_batch {
    uint32_t struct_size;
    uint32_t frame;
    uint64_t release; /* the number that FREE names; 0: nothing is to be given back */
    int64_t rows;
    int64_t offset; /* of the rows in every column */
    runner_span_t columns; /* runner_column_t */
    runner_span_t buffers; /* runner_buffer_t of all columns, one column after the other */
} runner_batch_t;

typedef struct runner_bytes {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t release; /* as in a batch */
    runner_buffer_t bytes;
} runner_bytes_t;

typedef struct runner_head {
    uint32_t struct_size;
    int32_t status;
    runner_span_t message;
    runner_span_t headers; /* runner_pair_t */
} runner_head_t;

typedef struct runner_notice {
    uint32_t struct_size;
    uint32_t severity;
    runner_span_t ref_id;
    runner_span_t text;
    runner_span_t link;
} runner_notice_t;

typedef struct runner_progress {
    uint32_t struct_size;
    uint32_t reserved;
    double fraction;
    runner_span_t token;
} runner_progress_t;

typedef struct runner_error {
    uint32_t struct_size;
    uint32_t source;
    int32_t code;
    int32_t http_status;
    int64_t retry_after;
    runner_span_t ref_id;
    runner_span_t message;
    runner_span_t hint;
    runner_span_t details;
} runner_error_t;

typedef struct runner_arena {
    uint32_t struct_size;
    uint32_t arena; /* its number, from 1 */
    uint64_t size;
} runner_arena_t;

typedef struct runner_log_field {
    uint32_t type; /* GF_VALUE_… */
    uint32_t reserved;
    uint64_t bits; /* of an i64 or f64 */
    runner_span_t key;
    runner_span_t text;
} runner_log_field_t;

typedef struct runner_log {
    uint32_t struct_size;
    uint32_t level;
    runner_span_t message;
    runner_span_t fields; /* runner_log_field_t */
} runner_log_t;

#define RUNNER_METRIC_ADD 0u
#define RUNNER_METRIC_SET 1u
#define RUNNER_METRIC_OBSERVE 2u

typedef struct runner_metric_change {
    uint32_t struct_size;
    uint32_t index;
    uint32_t change; /* RUNNER_METRIC_… */
    uint32_t reserved;
    double value;
} runner_metric_change_t;

/* Functions of the host's extensions; those without a comment are answered with REPLY. */
#define RUNNER_SECRET_GET 1u
#define RUNNER_KV_GET 2u
#define RUNNER_KV_PUT 3u
#define RUNNER_KV_REMOVE 4u
#define RUNNER_KV_LIST 5u
#define RUNNER_TIMER_ARM 6u
#define RUNNER_TIMER_DISARM 7u /* no reply */
#define RUNNER_HTTP_REQUEST 8u
#define RUNNER_HTTP_HEAD 9u
#define RUNNER_HTTP_READ 10u
#define RUNNER_HTTP_ERROR 11u
#define RUNNER_HTTP_CLOSE 12u /* no reply */
#define RUNNER_SETTING_GET 13u
#define RUNNER_SOCKET_OPEN 14u
#define RUNNER_SOCKET_HEAD 15u
#define RUNNER_SOCKET_RECEIVE 16u
#define RUNNER_SOCKET_SEND 17u
#define RUNNER_SOCKET_ROOM 18u /* whether the socket takes a further message, for plugins that wait */
#define RUNNER_SOCKET_ERROR 19u
#define RUNNER_SOCKET_CLOSE 20u /* no reply */

typedef struct runner_host_call {
    uint32_t struct_size;
    uint32_t function;
    uint64_t object; /* a configuration, a timer, an HTTP request or a socket */
    int64_t number;  /* a version, a delay, a time-out, the kind of a message or the code of a close */
    uint64_t limit;  /* HTTP: max_bytes; OPEN of a socket: max_message */
    uint32_t flags;  /* HTTP: GF_HTTP_…; OPEN of a socket: GF_WEBSOCKET_… */
    uint32_t reserved;
    runner_span_t name; /* a key, a prefix, the name of a secret or setting, a method, the protocols of a socket */
    runner_span_t text; /* HTTP, OPEN of a socket: the URL; CLOSE of a socket: the reason */
    runner_span_t pairs; /* HTTP, OPEN of a socket: headers */
    runner_span_t data; /* a value, the body of a request, a message */
} runner_host_call_t;

typedef struct runner_reply {
    uint32_t struct_size;
    int32_t status;
    int64_t number; /* a version, a timer, a request, a socket or an HTTP status; RECEIVE: the kind of the message */
    runner_span_t pairs;
    runner_span_t data; /* RECEIVE: the message, or the reason of the end */
    int64_t code; /* RECEIVE: of the end */
} runner_reply_t;

/* ---------------------------------------------------------------------------------------------------------------
 * Reading: every length and offset is checked, so that a message may come from anybody.
 */

/* The header of the message at data, of which so many bytes are there. Returns 1 when the message is whole. */
int runner_read_header(const void *data, uint64_t available, runner_header_t *header_out);

/* Copies the fixed struct of a message, completed with zeros. Returns 1, or 0 when there is none. */
int runner_read_body(const void *message, void *body_out, uint32_t size);

/* The bytes of a span; NULL when it does not lie in the message, or its length is no multiple of element. */
const void *runner_read_span(const void *message, runner_span_t span, uint32_t element);

/* ---------------------------------------------------------------------------------------------------------------
 * Writing
 */

/* Bytes that grow. failed: there was no memory, or a message grew too large; what is put is then dropped. */
typedef struct runner_writer {
    uint8_t *data;
    uint64_t length;
    uint64_t capacity;
    uint64_t message; /* where the open message starts */
    int failed;
} runner_writer_t;

/* Opens a message with room for its fixed struct. */
void runner_begin(runner_writer_t *writer, uint32_t type, uint64_t call, uint32_t body_size);

/* Appends bytes to the open message, aligned to 8. */
runner_span_t runner_put(runner_writer_t *writer, const void *bytes, uint64_t length);

/* Room for bytes that the caller fills in; NULL without memory. */
void *runner_reserve(runner_writer_t *writer, uint64_t length, runner_span_t *span_out);

/* Fills in the fixed struct, and the header with its length. */
void runner_end(runner_writer_t *writer, const void *body, uint32_t body_size);

void runner_clear(runner_writer_t *writer);
void runner_free(runner_writer_t *writer);

/* ---------------------------------------------------------------------------------------------------------------
 * Sending and receiving
 */

/* Sends one packet. Returns 0, or an errno; with is_waiting 0 EAGAIN when the other side is slow. */
int runner_send(int socket, const void *packet, uint64_t length, const int *fds, uint32_t fd_count, int is_waiting);

/* Receives one packet into RUNNER_PACKET_MAX bytes. Returns its length, 0 at the end, or minus an errno: EMSGSIZE for a
 * packet that is too large. fds_out has room for RUNNER_FDS_MAX; all descriptors are closed on exec. */
int64_t runner_receive(int socket, void *packet, int *fds_out, uint32_t *fd_count_out, int is_waiting);

/* A sealed memory file with the bytes; -1 and errno on failure. */
int runner_spill(const void *bytes, uint64_t length);

/* Reads a whole spilled message into memory that the caller frees. NULL unless the file is sealed and has the
 * length. */
void *runner_unspill(int fd, uint64_t length);

/* A memory file of that size which can neither shrink nor grow; -1 and errno on failure. */
int runner_make_arena(uint64_t size);

/* Maps an arena, for reading only or for writing as well. NULL unless the file is sealed against shrinking and has the
 * size; errno says more. */
void *runner_map_arena(int fd, uint64_t size, int is_writable);

#endif
