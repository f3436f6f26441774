/* Both sides are the same program; setup.h knows which one by its name. */
#include "turn_client.c"
