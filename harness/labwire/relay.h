/* relay.h - the network itself: takes each packet that is sent and decides what arrives. */
#ifndef LABWIRE_RELAY_H
#define LABWIRE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "rules.h"

struct relay_options {
    bool link; /* between two interfaces; else the loopback, which is both of them */
    const char *interfaces[2];
    struct rules *rules;
    bool rules_on_stdin;
    size_t ring_bytes; /* of each port: see port_open() */
    int ready_fd; /* gets a newline once every packet passes here; -1: stderr gets "ready" */
};

/* Relays until it is told to end. Returns the exit status. */
int relay_run(const struct relay_options *options);

#endif
