/* fields.h - the names of everything labcap tells, and how to look each up.
 *
 * One table serves the JSON of `flows` (in the table's order, dots make objects) and the
 * expectations of `check` (the dotted name is the key). */
#ifndef LABCAP_FIELDS_H
#define LABCAP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "trace.h"

enum field_type {
    FIELD_COUNT,   /* value.count */
    FIELD_TRUTH,   /* value.truth */
    FIELD_TEXT,    /* value.text */
    FIELD_ADDRESS, /* value.text, as inet_ntop() writes it */
    FIELD_SECONDS, /* value.ns, nanoseconds */
    FIELD_SIZES,   /* a list; JSON only */
    FIELD_OBJECT   /* null, or the object of the fields that follow; as a key, value.count */
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

struct field {
    const char *name;
    enum field_type type;
    field_read_fn *read;
    size_t offset;       /* for `read`'s use */
    bool nullable;
    bool key_only;       /* not in the JSON */
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

/* NULL if the table has no such name. */
const struct field *field_find(const struct field_table *table, const char *name);

/* The packet that decides a field's value, or 0 where no single one does. */
uint64_t field_deciding_packet(const struct field *field, const struct flow *flow);

#endif
