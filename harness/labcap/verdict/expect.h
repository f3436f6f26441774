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

struct expectation {
    char *text;      /* as written */
    char *shown;     /* the same, fit for a screen */
    uint64_t flow_id; /* 0: every flow */
    enum expect_operator op;
    const struct field *capture, *tcp, *udp; /* NULL where the key does not exist */
    struct value wanted;
};

/* True if the text looks like an expectation: letters, digits, '_', '.', then an operator. What
 * does not is part of a filter. */
bool expect_looks_like_one(const char *text);

/* Parses one. Returns false with a line in `error` if the key or the value is none. */
bool expect_parse(struct expectation *e, const char *text, char *error, size_t size);
void expect_free(struct expectation *e);

/* Compares and prints one line: met, or not and what was seen. Returns true if met. */
bool expect_check(const struct expectation *e, const struct trace *trace);

/* `labcap check`: returns the exit status. */
int cmd_check(int argc, char **argv);

#endif
