/* ladder_screen.c - see ladder_screen.h. */
#include "ladder_screen.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ladder_text.h"

bool parse_color(const char *text, enum color_when *when)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *when = (enum color_when)i;
            return true;
        }
    }
    return false;
}

static int terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    long width = 0;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width <= 0 && columns != NULL)
        width = strtol(columns, NULL, 10);
    if (width <= 0)
        width = 80;
    return width < LADDER_WIDTH_MIN   ? LADDER_WIDTH_MIN
           : width > LADDER_WIDTH_MAX ? LADDER_WIDTH_MAX
                                      : (int)width;
}

static bool want_color(enum color_when when)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

    if (when != COLOR_AUTO)
        return when == COLOR_ALWAYS;
    return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

struct style screen_style(bool ascii, enum color_when color, uint64_t last_packet)
{
    struct style style = {.width = terminal_width(), .color = want_color(color)};
    char digits[NUMBER_TEXT_MAX];

    setlocale(LC_CTYPE, "");
    style.utf8 = !ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    style.number_width = (int)number_text(digits, (int64_t)last_packet);
    if (style.number_width < 3)
        style.number_width = 3;
    return style;
}
