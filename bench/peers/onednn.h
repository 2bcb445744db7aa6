#include "peer.h"

#ifdef __cplusplus
extern "C" {
#endif
peer *onednn_prepare(const problem *q, const char *way);
const char *onednn_version(void);
#ifdef __cplusplus
}
#endif
