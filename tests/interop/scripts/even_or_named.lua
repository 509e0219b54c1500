-- Messages whose number is even, and those whose body says "named".
if body == "named" then return true end
local a = tonumber(p.a)
return a ~= nil and a % 2 == 0
