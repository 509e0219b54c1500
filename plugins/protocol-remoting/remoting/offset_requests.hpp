// Requests about offsets of queues and groups, and about topics: 14, 15, 17, 29, 30, 31, 32. Answered at once, except a search by time.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

void query_consumer_offset(ShardContext &ctx, const Request &request);
void update_consumer_offset(ShardContext &ctx, const Request &request);
void search_offset(ShardContext &ctx, const Request &request);
void complete_search(ShardContext &ctx, const gantry_cqe &cqe);
void get_max_offset(ShardContext &ctx, const Request &request);
void get_min_offset(ShardContext &ctx, const Request &request);
void get_earliest_store_time(ShardContext &ctx, const Request &request);
void update_and_create_topic(ShardContext &ctx, const Request &request);

}  // namespace gantry::remoting
