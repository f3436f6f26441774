/* expect.h - expectations: KEY=VALUE, KEY>=VALUE, KEY<=VALUE, perhaps for one flow ("2:KEY").
 *
 * KEY is a dotted name of fields.h. A key of the whole trace is compared once. Any other applies
 * to every flow of the trace that has such a field (TCP keys to connections, UDP keys to UDP
 * flows, keys of both kinds to both); where there is no such flow it is not met. */
#ifndef LABCAP_EXPECT_H
#define LABCAP_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "fields.h"

enum expect_operator { EXPECT_EQUAL, EXPECT_AT_LEAST, EXPECT_AT_MOST };

enum { EXPECT_SEEN_MAX = 128 };

/* What flows said so far. */
struct expect_found {
    uint64_t compared, contradictions;
    bool other_kind;       /* the one flow that is meant has no such field */
    uint64_t flow_id;      /* of the contradictions the one with the lowest id, */
    char seen[EXPECT_SEEN_MAX]; /* what it has instead, */
    uint64_t packets[2];   /* and the packets to look at, from the first to the last */
};

struct expectation {
    char *text;      /* as written */
    char *shown;     /* the same, fit for a screen */
    uint64_t flow_id; /* 0: every flow */
    enum expect_operator op;
    const struct field *capture, *tcp, *udp; /* NULL where the key does not exist */
    struct value wanted;
    struct expect_found found; /* in the trace at hand */
};

/* True if the text looks like an expectation: letters, digits, '_', '.', then an operator. What
 * does not is part of a filter. */
bool expect_looks_like_one(const char *text);

/* Parses one. Returns false with a line in `error` if the key or the value is none. */
bool expect_parse(struct expectation *e, const char *text, char *error, size_t size);
void expect_free(struct expectation *e);

/* A trace is compared: its flows, in any order, then the whole of it. expect_tell() prints one
 * line: met, or not and what was seen. Returns true if met. */
void expect_begin(struct expectation *e);
void expect_flow(struct expectation *e, const struct trace *trace, const struct flow *flow);
bool expect_tell(const struct expectation *e, const struct trace *trace);

/* `labcap check`: returns the exit status. */
int cmd_check(int argc, char **argv);

#endif
