/* ladder_draw_internal.h - the pieces that rows of a ladder are drawn with. */
#ifndef LABCAP_LADDER_DRAW_INTERNAL_H
#define LABCAP_LADDER_DRAW_INTERNAL_H

#include "ladder_draw.h"

enum {
    TIME_WIDTH = 8,   /* -12.3 ms */
    STATE_WIDTH = 12, /* SYN-RECEIVED */
    STATES_FROM = 72, /* columns from which states stand beside the lanes */
    TIME_FROM = 50    /* columns from which there is a time */
};

enum lane { LANE_WHOLE, LANE_CUT /* rows are left out */ };

bool has_states(const struct style *style);

/* Columns to the left of the client's lane. */
int margin(const struct style *style);

/* The text in its colour. */
void put(const struct style *style, enum tone tone, const char *text);
void put_dashes(const struct style *style, enum tone tone, int count);

/* What stands left of the area between the lanes, the client's lane included; and right of it. */
void left_of_lane(const struct style *style, uint64_t number, const char *time,
                  const char *state, enum lane lane);
void right_of_lane(const struct style *style, const char *state, enum lane lane);

/* States in a line of their own, if they are not beside the lanes and any is new. */
void states_beneath(const struct style *style, const char *const state[2]);

/* The part of `text` that a line of `room` columns takes: up to a comma or semicolon, else up to a
 * space, else as much as there is room for. *next is where the rest begins. */
int line_of(const char *text, int room, const char **next);

#endif
