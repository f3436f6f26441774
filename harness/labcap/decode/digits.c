/* digits.c - see digits.h. */
#include "digits.h"

#define FEW(n) \
    {{(char)('0' + ((n) >= 100 ? (n) / 100 : (n) >= 10 ? (n) / 10 : (n))), \
      (char)('0' + ((n) >= 100 ? (n) / 10 % 10 : (n) % 10)), (char)('0' + (n) % 10)}, \
     (n) >= 100 ? 3 : (n) >= 10 ? 2 : 1}
#define TEN(n) \
    FEW(n), FEW(n + 1), FEW(n + 2), FEW(n + 3), FEW(n + 4), FEW(n + 5), FEW(n + 6), FEW(n + 7), \
        FEW(n + 8), FEW(n + 9)
#define HUNDRED(n) \
    TEN(n), TEN(n + 10), TEN(n + 20), TEN(n + 30), TEN(n + 40), TEN(n + 50), TEN(n + 60), \
        TEN(n + 70), TEN(n + 80), TEN(n + 90)

const struct digits_few digits_few[DIGITS_FEW] = {
    HUNDRED(0),   HUNDRED(100), HUNDRED(200), HUNDRED(300), HUNDRED(400),
    HUNDRED(500), HUNDRED(600), HUNDRED(700), HUNDRED(800), HUNDRED(900)};
