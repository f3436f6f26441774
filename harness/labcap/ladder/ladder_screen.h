/* ladder_screen.h - what a ladder is drawn on: width, characters, colour. */
#ifndef LABCAP_LADDER_SCREEN_H
#define LABCAP_LADDER_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ladder_draw.h"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* "auto", "always" or "never"; false for anything else. */
bool parse_color(const char *text, enum color_when *when);

/* The screen as it is now: the terminal's width, else COLUMNS, else 80; UTF-8 where the locale has
 * it; packet numbers as wide as `last_packet` needs. Ask again after SIGWINCH. */
struct style screen_style(bool ascii, enum color_when color, uint64_t last_packet);

#endif
