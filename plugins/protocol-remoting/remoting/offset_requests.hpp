// Requests about offsets of queues and groups, and about topics: 14, 15, 17, 29, 30, 31, 32. Answered at once, except a search by
// time and a commit that must survive.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

void query_consumer_offset(ShardContext &ctx, const Request &request);
void update_consumer_offset(ShardContext &ctx, const Request &request);
void search_offset(ShardContext &ctx, const Request &request);
// The row of an UPDATE_CONSUMER_OFFSET is written, or was refused.
void complete_commit(ShardContext &ctx, const gantry_cqe &cqe);
void complete_search(ShardContext &ctx, const gantry_cqe &cqe);
void get_max_offset(ShardContext &ctx, const Request &request);
void get_min_offset(ShardContext &ctx, const Request &request);
void get_earliest_store_time(ShardContext &ctx, const Request &request);
void update_and_create_topic(ShardContext &ctx, const Request &request);

}  // namespace gantry::remoting
