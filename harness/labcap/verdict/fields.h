/* fields.h - the names of everything labcap tells, and how to look each up.
 *
 * One table serves the JSON of `flows` (in the table's order, dots make objects) and the
 * expectations of `check` (the dotted name is the key). */
#ifndef LABCAP_FIELDS_H
#define LABCAP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flow.h"
#include "trace.h"

enum field_type {
    FIELD_COUNT,   /* value.count */
    FIELD_TRUTH,   /* value.truth */
    FIELD_TEXT,    /* value.text */
    FIELD_ADDRESS, /* value.text, as inet_ntop() writes it */
    FIELD_SECONDS, /* value.ns, nanoseconds */
    FIELD_SIZES,   /* a list; JSON only */
    FIELD_OBJECT   /* null, or the object of the fields that follow, which are a table's last; as a
                      key, value.count */
};

struct value {
    bool is_null; /* not seen */
    bool truth;
    uint64_t count;
    int64_t ns;
    const char *text; /* in buffer, static, or in the flow */
    char buffer[48];
    const struct udp_side *sizes;
};

/* Of a flow, or of the whole trace: exactly one of the two is used, by the field's table. */
struct subject {
    const struct trace *trace;
    const struct flow *flow;
};

struct field;
typedef void field_read_fn(const struct field *field, const struct subject *of,
                           struct value *value);

/* Where a count stands that needs no reading: a uint64_t at field.offset of this struct. */
enum field_base {
    BASE_NONE, /* `read` knows */
    BASE_FLOW,
    BASE_TCP,
    BASE_CLIENT, /* tcp_side */
    BASE_SERVER,
    BASE_CLIENT_RARE, /* tcp_rare; where it is not there, all of it is 0 */
    BASE_SERVER_RARE,
    BASE_SENT,     /* transit_side: what the client sent, */
    BASE_ANSWERED, /* and the server; neither is there in a trace with one point */
    BASE_TRACE,
    FIELD_BASES
};

struct field {
    const char *name;
    enum field_type type;
    enum field_base base;
    field_read_fn *read; /* NULL with a base */
    size_t offset;       /* for `read`'s use, or in the base */
    bool nullable;
    bool zero_is_null;   /* of a count with a base */
    bool key_only;       /* not in the JSON */
    bool any_octets;     /* of a text: others are words and addresses */
    const char *choices; /* the texts there are, separated by spaces; NULL for any */
};

struct field_table {
    const struct field *fields;
    size_t count;
};

extern const struct field_table tcp_fields, udp_fields, capture_fields;

/* The table of the flow's protocol. */
const struct field_table *flow_fields(const struct flow *flow);

void field_read(const struct field *field, const struct subject *of, struct value *value);

/* The bases of a subject, for field_count(); those that it does not have are NULL: what can be null
 * is null then, other counts are 0. */
void field_find_bases(const void *bases[FIELD_BASES], const struct subject *of);

/* The count of a field that has a base, which is there. False where it is null. */
static inline bool field_count(const struct field *field, const void *base, uint64_t *count)
{
    memcpy(count, (const char *)base + field->offset, sizeof *count);
    return *count > 0 || !field->zero_is_null;
}

/* NULL if the table has no such name. */
const struct field *field_find(const struct field_table *table, const char *name);

/* The packet that decides a field's value, or 0 where no single one does. */
uint64_t field_deciding_packet(const struct field *field, const struct flow *flow);

#endif
