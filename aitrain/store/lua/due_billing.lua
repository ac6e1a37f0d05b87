-- The running jobs whose next minute may have begun. Changes nothing. Costs what is due.
-- ARG: limit.
-- Returns their ids.
return reply(redis.call('ZRANGEBYSCORE', k_billing(), '-inf', int(NOW), 'LIMIT', 0, ARG.limit))
