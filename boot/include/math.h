/*
 * The part of math.h that wasm2c's C uses, for applications: there is no libm, and the baseline processor (SSE2) has no
 * rounding instruction. NaNs never get here: the callers have handled them.
 */
#ifndef AEMOS_MATH_H
#define AEMOS_MATH_H

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define isnan(x) __builtin_isnan(x)
#define signbit(x) __builtin_signbit(x)
#define fabs(x) __builtin_fabs(x)
#define fabsf(x) __builtin_fabsf(x)
#define copysign(x, y) __builtin_copysign((x), (y))
#define copysignf(x, y) __builtin_copysignf((x), (y))

static inline double sqrt(double x) {
  double root;
  __asm__("sqrtsd %1, %0" : "=x"(root) : "x"(x));
  return root;
}
static inline float sqrtf(float x) {
  float root;
  __asm__("sqrtss %1, %0" : "=x"(root) : "x"(x));
  return root;
}

/*
 * From 2^52 on (2^23 for float) every number is an integer, so the conversions below cannot overflow. The sign is put back for the
 * zeros: trunc(-0.5) is -0.
 */
#define DEFINE_ROUNDING(type, suffix, limit)                                                                  \
  static inline type trunc##suffix(type x) {                                                                  \
    if (!(fabs##suffix(x) < limit)) return x;                                                                 \
    return copysign##suffix((type)(long long)x, x);                                                           \
  }                                                                                                           \
  static inline type floor##suffix(type x) {                                                                  \
    type whole = trunc##suffix(x);                                                                            \
    return whole > x ? whole - 1 : whole;                                                                     \
  }                                                                                                           \
  static inline type ceil##suffix(type x) {                                                                   \
    type whole = trunc##suffix(x);                                                                            \
    return whole < x ? copysign##suffix(whole + 1, x) : whole;                                                \
  }                                                                                                           \
  /* Adding the limit leaves no bits for a fraction, rounded as MXCSR says: to nearest, ties to even. */      \
  static inline type nearbyint##suffix(type x) {                                                              \
    if (!(fabs##suffix(x) < limit)) return x;                                                                 \
    type magnitude = fabs##suffix(x);                                                                         \
    return copysign##suffix((magnitude + limit) - limit, x);                                                  \
  }

DEFINE_ROUNDING(double, , 0x1p52)
DEFINE_ROUNDING(float, f, 0x1p23f)

#endif
