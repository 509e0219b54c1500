-- Consumers subscribe to it with the expression type LUA and the expression @large-orders.
-- p.NAME is a property (a text, or nil); body is the body. What the script returns decides.
local amount = tonumber(p.amount)
if amount == nil then return false end
return amount >= 1000 or (amount >= 100 and p.customer == "vip")
