#include "peer.h"

#ifdef __cplusplus
extern "C" {
#endif
peer *eigen_prepare_avx2(const problem *q);
peer *eigen_prepare_avx512(const problem *q);
const char *eigen_version(void);
#ifdef __cplusplus
}
#endif
